"""/api/users: register, read, change, remove."""

from fastapi import APIRouter, HTTPException
from sqlalchemy.exc import IntegrityError

from apps.shared import statements
from apps.shared.models import User
from apps.shared.schemas import (
    POSTS_PER_PAGE,
    Id,
    Limit,
    Page,
    PostPage,
    Skip,
    UserCreate,
    UserPrivate,
    UserPublic,
    UserUpdate,
    page_of,
)

from apps.sync_app.database import SessionDep

router = APIRouter(prefix="/api/users", tags=["users"])


def find_user(session: SessionDep, user_id: int) -> User:
    result = session.execute(statements.user_by_id(user_id))
    if user := result.scalar_one_or_none():
        return user
    raise HTTPException(404, "User not found")


def refuse_taken(
    session: SessionDep,
    username: str | None,
    email: str | None,
) -> None:
    if username is not None:
        result = session.execute(statements.user_by_username(username))
        if result.scalar_one_or_none():
            raise HTTPException(400, "Username already exists")
    if email is not None:
        result = session.execute(statements.user_by_email(email))
        if result.scalar_one_or_none():
            raise HTTPException(400, "Email already registered")


def commit_user(session: SessionDep) -> None:
    try:
        session.commit()
    except IntegrityError as error:  # taken since we looked
        raise HTTPException(400, "Username or email already taken") from error


@router.post("", status_code=201, response_model=UserPrivate)
def create_user(session: SessionDep, new: UserCreate) -> User:
    refuse_taken(session, new.username, new.email)
    user = User(username=new.username, email=new.email)
    session.add(user)
    commit_user(session)
    session.refresh(user)
    return user


@router.get("/{user_id}", response_model=UserPublic)
def read_user(session: SessionDep, user_id: Id) -> User:
    return find_user(session, user_id)


@router.get("/{user_id}/posts", response_model=PostPage)
def list_user_posts(
    session: SessionDep, user_id: Id, skip: Skip = 0, limit: Limit = POSTS_PER_PAGE
) -> Page:
    find_user(session, user_id)
    total = session.scalar(statements.count_user_posts(user_id)) or 0
    result = session.execute(statements.user_posts_page(user_id, skip, limit))
    return page_of(result.scalars().all(), total, skip, limit)


@router.patch("/{user_id}", response_model=UserPrivate)
def update_user(session: SessionDep, user_id: Id, changes: UserUpdate) -> User:
    user = find_user(session, user_id)
    sent = changes.model_dump(exclude_unset=True)
    changed = {name: v for name, v in sent.items() if v != getattr(user, name)}
    refuse_taken(session, changed.get("username"), changed.get("email"))
    for name, value in changed.items():
        setattr(user, name, value)
    commit_user(session)
    session.refresh(user)
    return user


@router.delete("/{user_id}", status_code=204)
def delete_user(session: SessionDep, user_id: Id) -> None:
    user = find_user(session, user_id)
    session.delete(user)
    session.commit()
