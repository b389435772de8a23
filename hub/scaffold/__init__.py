"""From a recorded answer to the first version of a source, a mapping and its test; and a whole small project.

    sample = read(body, "so-y-te.json")            hub.scaffold.sample: where the rows are, what they hold
    guesses = guess(sample, "dossier.v1")          hub.scaffold.guess: which column is which field, and why
    text = mapping_text("so-y-te/dossier", ...)    hub.scaffold.mapping_file

Everything here is a proposal that a person reads: each line says why it is there. Pure but for `hub.scaffold.project`
and `hub.scaffold.write`, which write files and never overwrite one. Knows no adapter.
"""
