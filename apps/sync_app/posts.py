"""/api/posts: list, read, write, change, remove."""

from fastapi import APIRouter, HTTPException
from sqlalchemy.exc import InvalidRequestError

from apps.shared import statements
from apps.shared.models import Post
from apps.shared.schemas import (
    POSTS_PER_PAGE,
    Id,
    Limit,
    Page,
    PostCreate,
    PostPage,
    PostResponse,
    PostUpdate,
    Skip,
    page_of,
    problems,
)
from apps.shared.security import require_self

from apps.sync_app.database import SessionDep
from apps.sync_app.dependencies import CurrentUser

router = APIRouter(prefix="/api/posts", tags=["posts"])


def find_post(session: SessionDep, post_id: int) -> Post:
    result = session.execute(statements.post_by_id(post_id))
    if post := result.scalar_one_or_none():
        return post
    raise HTTPException(404, "Post not found")


def load_author(session: SessionDep, post: Post) -> None:
    # Named, or refresh() would read the columns and leave the author out.
    try:
        session.refresh(post, attribute_names=["author"])
    except InvalidRequestError as error:  # deleted since the commit
        raise HTTPException(404, "Post not found") from error


@router.get("", response_model=PostPage)
def list_posts(
    session: SessionDep, skip: Skip = 0, limit: Limit = POSTS_PER_PAGE
) -> Page:
    total = session.scalar(statements.count_posts()) or 0
    result = session.execute(statements.posts_page(skip, limit))
    return page_of(result.scalars().all(), total, skip, limit)


@router.post(
    "",
    status_code=201,
    response_model=PostResponse,
    responses=problems(400, 401, 404, 409),
)
def create_post(
    session: SessionDep, current_user: CurrentUser, new: PostCreate
) -> Post:
    post = Post(**new.model_dump(), user_id=current_user.id)
    # add() only notes the object; the INSERT is sent by commit().
    session.add(post)
    session.commit()
    load_author(session, post)
    return post


@router.get("/{post_id}", response_model=PostResponse, responses=problems(404))
def read_post(session: SessionDep, post_id: Id) -> Post:
    # The connection stays checked out until the response has been
    # validated, which for a `def` route waits for a second thread.
    return find_post(session, post_id)


@router.put(
    "/{post_id}",
    response_model=PostResponse,
    responses=problems(400, 401, 403, 404, 409),
)
def replace_post(
    session: SessionDep,
    current_user: CurrentUser,
    post_id: Id,
    new: PostCreate,
) -> Post:
    post = find_post(session, post_id)
    require_self(current_user, post.user_id)
    for name, value in new.model_dump().items():
        setattr(post, name, value)
    session.commit()
    load_author(session, post)
    return post


@router.patch(
    "/{post_id}",
    response_model=PostResponse,
    responses=problems(400, 401, 403, 404, 409),
)
def update_post(
    session: SessionDep,
    current_user: CurrentUser,
    post_id: Id,
    changes: PostUpdate,
) -> Post:
    post = find_post(session, post_id)
    require_self(current_user, post.user_id)
    for name, value in changes.model_dump(exclude_unset=True).items():
        setattr(post, name, value)
    session.commit()
    load_author(session, post)
    return post


@router.delete(
    "/{post_id}", status_code=204, responses=problems(401, 403, 404)
)
def delete_post(
    session: SessionDep, current_user: CurrentUser, post_id: Id
) -> None:
    post = find_post(session, post_id)
    require_self(current_user, post.user_id)
    session.delete(post)
    session.commit()
