"""The tasks of `spiritlm evaluate`, one module each: how items are read and measured."""
