"""The twins as texts: what exactly turns the one into the other, checked and shown.

Nothing here runs an app; apps/sync_app and apps/async_app are read as files.
"""
