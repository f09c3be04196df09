"""What is installed here, what is broken, and what to do about it: the checks of `spiritlm doctor`.

Nothing of a check is imported by this process but the standard library; what may be broken is imported in an
`IsolatedProcess`.
"""
