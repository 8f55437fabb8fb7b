"""Passwords, tokens, and who may do what. Pure: no session, no socket.

`hash_password` and `verify_password` are CPU-bound: Argon2 is slow on purpose, and takes
64 MiB each time. The async app must not run them on the loop.
"""

import re
from datetime import UTC, datetime, timedelta

import jwt
from fastapi import HTTPException
from pwdlib import PasswordHash

from apps.shared.models import User
from apps.shared.schemas import LARGEST_ID
from apps.shared.settings import settings

ALGORITHM = "HS256"
# As we write it; int() would take much more.
ID = re.compile(r"[1-9][0-9]{0,18}")

# Argon2id with the library's own parameters.
password_hash = PasswordHash.recommended()

# Every user of the demo data has it. Its hash is written down because fifty of them would
# take seconds at each start.
DEMO_EMAIL = "user1@example.com"
DEMO_PASSWORD = "correct horse"
DEMO_PASSWORD_HASH = (
    "$argon2id$v=19$m=65536,t=3,p=4$VANOsmH4zZusTjH0JZrIrw$"
    "IgZiHThz2cThwrCm829yb9HwTKM1LJwP6wA0tJblIYk"
)
# What the demo's users have outside the demo. A hash of 32 zero bytes: no password is known that
# gives it, and refusing one is as much work as for any other user.
NO_PASSWORD_HASH = f"{DEMO_PASSWORD_HASH.rpartition('$')[0]}${'A' * 43}"


def hash_password(password: str) -> str:
    return password_hash.hash(password)


def verify_password(password: str, hashed: str | None) -> bool:
    """Whether `password` is the one that was hashed.

    Without a hash (there is no such user) it is False after the same work: how long a login
    takes must not tell which addresses are registered.
    """
    # A form may hold what is no character; that is no password either.
    sent = password.encode(errors="replace")
    right = password_hash.verify(sent, hashed or DEMO_PASSWORD_HASH)
    return right and hashed is not None


def verify_demo_password() -> bool:
    """Argon2 and nothing else, for /workload/hash."""
    return verify_password(DEMO_PASSWORD, DEMO_PASSWORD_HASH)


def create_token(user_id: int) -> str:
    expires = datetime.now(UTC) + timedelta(minutes=settings.token_minutes)
    claims = {"sub": str(user_id), "exp": expires}
    return jwt.encode(
        claims, settings.secret_key.get_secret_value(), ALGORITHM
    )


def read_token(token: str) -> int:
    """The id of the user it was made for. Raises HTTPException (401) if it is not valid."""
    try:
        claims = jwt.decode(
            token,
            settings.secret_key.get_secret_value(),
            algorithms=[ALGORITHM],
            options={"require": ["exp", "sub"]},
        )
    except jwt.InvalidTokenError:
        raise not_logged_in() from None
    if not ID.fullmatch(claims["sub"]) or int(claims["sub"]) > LARGEST_ID:
        raise not_logged_in()
    return int(claims["sub"])


def not_logged_in(
    detail: str = "Could not validate credentials",
) -> HTTPException:
    return HTTPException(401, detail, headers={"WWW-Authenticate": "Bearer"})


def require_self(current: User, user_id: int) -> None:
    """Raises HTTPException (403) unless `user_id` is the current user's own."""
    if current.id != user_id:
        raise HTTPException(
            403, "Not authorized to change what is another user's"
        )
