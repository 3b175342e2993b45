"""The sections of the page about a model, as plain data that is saved and rendered later."""
