"""Passwords, tokens and ownership.

`hash_password` and `verify_password` are CPU-bound: Argon2 is slow on purpose and takes 64 MiB
of memory for each call. The async app runs them in worker threads.
"""

import re
from datetime import UTC, datetime, timedelta

import jwt
from fastapi import HTTPException
from pwdlib import PasswordHash

from apps.shared.models import User
from apps.shared.schemas import MAX_ID
from apps.shared.settings import settings

ALGORITHM = "HS256"
# The form that create_token() writes; int() would accept many others.
USER_ID = re.compile(r"[1-9][0-9]{0,18}")

# Argon2id with pwdlib's recommended parameters.
password_hash = PasswordHash.recommended()

# The password of every demo user. Its hash is a constant, because hashing it fifty times would
# take seconds at each start.
DEMO_EMAIL = "user1@example.com"
DEMO_PASSWORD = "correct horse"
DEMO_PASSWORD_HASH = (
    "$argon2id$v=19$m=65536,t=3,p=4$VANOsmH4zZusTjH0JZrIrw$"
    "IgZiHThz2cThwrCm829yb9HwTKM1LJwP6wA0tJblIYk"
)
# The hash of demo users outside the demo. Its digest is 32 zero bytes: no known password matches,
# and verifying takes as long as for any other user.
NO_PASSWORD_HASH = f"{DEMO_PASSWORD_HASH.rpartition('$')[0]}${'A' * 43}"


def hash_password(password: str) -> str:
    """Return the Argon2 hash of `password`."""
    return password_hash.hash(password)


def verify_password(password: str, hashed: str | None) -> bool:
    """Return whether `password` has the hash `hashed`.

    Without a hash (no such user) return False after the same work: the duration of a login must
    not reveal which addresses are registered.
    """
    # A form may contain half a surrogate pair, which cannot be encoded.
    encoded = password.encode(errors="replace")
    valid = password_hash.verify(encoded, hashed or DEMO_PASSWORD_HASH)
    return valid and hashed is not None


def create_token(user_id: int) -> str:
    """Return a signed token for the user, valid for `token_minutes`."""
    expires = datetime.now(UTC) + timedelta(minutes=settings.token_minutes)
    claims = {"sub": str(user_id), "exp": expires}
    return jwt.encode(
        claims, settings.secret_key.get_secret_value(), ALGORITHM
    )


def read_token(token: str) -> int:
    """Return the user id of `token`, or raise HTTPException (401) if it is invalid."""
    try:
        claims = jwt.decode(
            token,
            settings.secret_key.get_secret_value(),
            algorithms=[ALGORITHM],
            options={"require": ["exp", "sub"]},
        )
    except jwt.InvalidTokenError:
        raise credentials_error() from None
    if not USER_ID.fullmatch(claims["sub"]) or int(claims["sub"]) > MAX_ID:
        raise credentials_error()
    return int(claims["sub"])


def credentials_error(
    detail: str = "Could not validate credentials",
) -> HTTPException:
    """Return the error (401) for missing or wrong credentials."""
    return HTTPException(401, detail, headers={"WWW-Authenticate": "Bearer"})


def require_owner(current: User, user_id: int) -> None:
    """Raise HTTPException (403) unless `user_id` is that of the current user."""
    if current.id != user_id:
        raise HTTPException(
            403, "Not authorized to change what is another user's"
        )
