"""Twins: legacy systems and portals that answer like the real ones over real HTTP, and can be told to fail.

The demo, the contract tests and an integrator's dry run use the same. `twin.py` says how one is written and run.
"""
