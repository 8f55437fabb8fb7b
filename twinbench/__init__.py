"""The harness: measures two implementations of one app and says which is faster, where and why."""
