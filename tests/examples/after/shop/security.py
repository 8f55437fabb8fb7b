import hashlib
import hmac
import os
from datetime import UTC, datetime, timedelta

import jwt

SECRET_KEY = os.getenv("SECRET_KEY", "change-me-to-a-secret-of-32-bytes")
ALGORITHM = "HS256"
EXPIRES = timedelta(minutes=30)


def hash_password(password: str) -> str:
    salt = os.urandom(16)
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 10_000)
    return f"{salt.hex()}${digest.hex()}"


def verify_password(password: str, hashed: str) -> bool:
    salt, digest = hashed.split("$")
    found = hashlib.pbkdf2_hmac("sha256", password.encode(), bytes.fromhex(salt), 10_000)
    return hmac.compare_digest(found.hex(), digest)


def create_token(user_id: int) -> str:
    claims = {"sub": str(user_id), "exp": datetime.now(UTC) + EXPIRES}
    return jwt.encode(claims, SECRET_KEY, algorithm=ALGORITHM)


def user_id_of(token: str) -> int | None:
    try:
        return int(jwt.decode(token, SECRET_KEY, algorithms=[ALGORITHM])["sub"])
    except (jwt.PyJWTError, KeyError, ValueError):
        return None
