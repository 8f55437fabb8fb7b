"""/api/users: register, log in, read, update and delete users."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from fastapi.concurrency import run_in_threadpool
from fastapi.security import OAuth2PasswordRequestForm
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from apps.shared import statements
from apps.shared.models import User
from apps.shared.schemas import (
    POSTS_PER_PAGE,
    Id,
    Limit,
    Page,
    PostPage,
    Skip,
    Token,
    UserCreate,
    UserPrivate,
    UserPublic,
    UserUpdate,
    error_responses,
    normalize_email,
    paginate,
)
from apps.shared.security import (
    create_token,
    credentials_error,
    hash_password,
    require_owner,
    verify_password,
)

from apps.async_app.database import SessionDep
from apps.async_app.dependencies import CurrentUser
from apps.async_app.pictures import lock_user, remove_picture

router = APIRouter(prefix="/api/users", tags=["users"])


async def find_user(session: AsyncSession, user_id: int) -> User:
    """Return the user, or raise HTTPException (404)."""
    result = await session.execute(statements.user_by_id(user_id))
    if user := result.scalar_one_or_none():
        return user
    raise HTTPException(404, "User not found")


async def ensure_unique(
    session: AsyncSession,
    username: str | None,
    email: str | None,
) -> None:
    """Raise HTTPException (400) if the name or the address is taken."""
    if username is not None:
        result = await session.execute(statements.user_by_username(username))
        if result.scalar_one_or_none():
            raise HTTPException(400, "Username already exists")
    if email is not None:
        result = await session.execute(statements.user_by_email(email))
        if result.scalar_one_or_none():
            raise HTTPException(400, "Email already registered")


async def commit_user(session: AsyncSession) -> None:
    """Commit, or raise HTTPException (400) if name or address is taken."""
    try:
        await session.commit()
    except IntegrityError as error:  # taken after ensure_unique()
        raise HTTPException(400, "Username or email already taken") from error


@router.post(
    "",
    status_code=201,
    response_model=UserPrivate,
    responses=error_responses(400),
)
async def create_user(session: SessionDep, new: UserCreate) -> User:
    """Register a user."""
    await ensure_unique(session, new.username, new.email)
    # Argon2 is slow on purpose: on the event loop it would block all others.
    hashed = await run_in_threadpool(hash_password, new.password)
    user = User(username=new.username, email=new.email, password_hash=hashed)
    session.add(user)
    await commit_user(session)
    return user


@router.post(
    "/token", response_model=Token, responses=error_responses(400, 401)
)
async def log_in(
    session: SessionDep, form: Annotated[OAuth2PasswordRequestForm, Depends()]
) -> Token:
    """Return a bearer token for an email address and a password."""
    query = statements.user_by_email(normalize_email(form.username))
    result = await session.execute(query)
    user = result.scalar_one_or_none()
    hashed = user.password_hash if user else None
    # Argon2 again. The connection stays checked out while it computes.
    valid = await run_in_threadpool(verify_password, form.password, hashed)
    if user is None or not valid:
        raise credentials_error("Incorrect email or password")
    return Token(access_token=create_token(user.id))


@router.get("/me", response_model=UserPrivate, responses=error_responses(401))
async def read_me(current_user: CurrentUser) -> User:
    """Return the current user."""
    return current_user


@router.get(
    "/{user_id}", response_model=UserPublic, responses=error_responses(404)
)
async def read_user(session: SessionDep, user_id: Id) -> User:
    """Return one user, without the email address."""
    return await find_user(session, user_id)


@router.get(
    "/{user_id}/posts", response_model=PostPage, responses=error_responses(404)
)
async def list_user_posts(
    session: SessionDep,
    user_id: Id,
    skip: Skip = 0,
    limit: Limit = POSTS_PER_PAGE,
) -> Page:
    """Return one page of the posts of a user, newest first."""
    await find_user(session, user_id)
    total = await session.scalar(statements.count_user_posts(user_id)) or 0
    newest = statements.user_posts_page(user_id, skip, limit)
    result = await session.execute(newest)
    return paginate(result.scalars().all(), total, skip, limit)


@router.patch(
    "/{user_id}",
    response_model=UserPrivate,
    responses=error_responses(400, 401, 403, 404),
)
async def update_user(
    session: SessionDep,
    current_user: CurrentUser,
    user_id: Id,
    changes: UserUpdate,
) -> User:
    """Change one's own name, address or both."""
    require_owner(current_user, user_id)
    user = await find_user(session, user_id)
    sent = changes.model_dump(exclude_unset=True)
    changed = {name: v for name, v in sent.items() if v != getattr(user, name)}
    await ensure_unique(session, changed.get("username"), changed.get("email"))
    for name, value in changed.items():
        setattr(user, name, value)
    await commit_user(session)
    return user


@router.delete(
    "/{user_id}", status_code=204, responses=error_responses(401, 403, 404)
)
async def delete_user(
    session: SessionDep, current_user: CurrentUser, user_id: Id
) -> None:
    """Delete one's own account with all its posts."""
    require_owner(current_user, user_id)
    user = await lock_user(session, user_id)
    await session.delete(user)
    await session.commit()
    await remove_picture(user.image_file)
