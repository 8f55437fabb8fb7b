"""Who is asking: the user that the request's token was made for."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import OAuth2PasswordBearer

from apps.shared import statements
from apps.shared.models import User
from apps.shared.security import not_logged_in, read_token

from apps.sync_app.database import SessionDep

bearer_token = OAuth2PasswordBearer("/api/users/token")


def get_current_user(
    session: SessionDep,
    token: Annotated[str, Depends(bearer_token)],
) -> User:
    # One SELECT. A `def` dependency is one more hop into the thread pool.
    result = session.execute(statements.user_by_id(read_token(token)))
    if user := result.scalar_one_or_none():
        return user
    raise not_logged_in()  # deleted since the token was made


CurrentUser = Annotated[User, Depends(get_current_user)]
