"""What an artist of a chart says when a pointer rests on it."""

from matplotlib.artist import Artist


def hover(artist: Artist, text: str) -> None:
    artist.set_gid(f"hover:{text}")
