from tests.support.machines import become

__all__ = ["become"]
