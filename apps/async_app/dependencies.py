"""The user who sends the request, found by the bearer token."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import OAuth2PasswordBearer

from apps.shared import statements
from apps.shared.models import User
from apps.shared.security import credentials_error, read_token

from apps.async_app.database import SessionDep

bearer_token = OAuth2PasswordBearer("/api/users/token")


async def get_current_user(
    session: SessionDep,
    token: Annotated[str, Depends(bearer_token)],
) -> User:
    """Return the user of the token, or raise HTTPException (401)."""
    # One SELECT. An `async def` dependency runs on the event loop.
    result = await session.execute(statements.user_by_id(read_token(token)))
    if user := result.scalar_one_or_none():
        return user
    raise credentials_error()  # deleted after the token was issued


CurrentUser = Annotated[User, Depends(get_current_user)]
