"""Published sentences, each held against the cells that would show it (claims.toml)."""

from twinbench.analyse.results import ClaimResult, Results


def claims(results: Results) -> list[ClaimResult]:
    """Those that the run's scenarios say anything of, in the order of claims.toml."""
    raise NotImplementedError
