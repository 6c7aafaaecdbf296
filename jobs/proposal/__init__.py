"""A look at a shop's files becomes the draft of a source: what each column seems to be, and what that rests on."""
