"""The drill: a user's own configuration, against twins of its destinations, under a script of faults.

plan      what is done to whom, in which order, as data
samples   what each source once sent
multiply  one recorded page to many dossiers with several revisions each, as bytes
serving   which page is shown when, and what is true of it
stand_ins the twins that stand for the destinations
copying   the configuration that is drilled: the user's, with the other side replaced
verdict   served against taken: lost, doubled, regressed
run       all of it, with the hub as a process that can be killed
"""
