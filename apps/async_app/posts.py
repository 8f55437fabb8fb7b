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

from apps.async_app.database import SessionDep
from apps.async_app.dependencies import CurrentUser

router = APIRouter(prefix="/api/posts", tags=["posts"])


async def find_post(session: SessionDep, post_id: int) -> Post:
    result = await session.execute(statements.post_by_id(post_id))
    if post := result.scalar_one_or_none():
        return post
    raise HTTPException(404, "Post not found")


async def load_author(session: SessionDep, post: Post) -> None:
    # Named, or refresh() would read the columns and leave the author out.
    try:
        await session.refresh(post, attribute_names=["author"])
    except InvalidRequestError as error:  # deleted since the commit
        raise HTTPException(404, "Post not found") from error


@router.get("", response_model=PostPage)
async def list_posts(
    session: SessionDep, skip: Skip = 0, limit: Limit = POSTS_PER_PAGE
) -> Page:
    total = await session.scalar(statements.count_posts()) or 0
    result = await session.execute(statements.posts_page(skip, limit))
    return page_of(result.scalars().all(), total, skip, limit)


@router.post(
    "",
    status_code=201,
    response_model=PostResponse,
    responses=problems(400, 401, 404, 409),
)
async def create_post(
    session: SessionDep, current_user: CurrentUser, new: PostCreate
) -> Post:
    post = Post(**new.model_dump(), user_id=current_user.id)
    # add() only notes the object; the INSERT is sent by commit().
    session.add(post)
    await session.commit()
    await load_author(session, post)
    return post


@router.get("/{post_id}", response_model=PostResponse, responses=problems(404))
async def read_post(session: SessionDep, post_id: Id) -> Post:
    # The connection stays checked out until the response has been
    # validated, which for an `async def` route happens at once.
    return await find_post(session, post_id)


@router.put(
    "/{post_id}",
    response_model=PostResponse,
    responses=problems(400, 401, 403, 404, 409),
)
async def replace_post(
    session: SessionDep,
    current_user: CurrentUser,
    post_id: Id,
    new: PostCreate,
) -> Post:
    post = await find_post(session, post_id)
    require_self(current_user, post.user_id)
    for name, value in new.model_dump().items():
        setattr(post, name, value)
    await session.commit()
    await load_author(session, post)
    return post


@router.patch(
    "/{post_id}",
    response_model=PostResponse,
    responses=problems(400, 401, 403, 404, 409),
)
async def update_post(
    session: SessionDep,
    current_user: CurrentUser,
    post_id: Id,
    changes: PostUpdate,
) -> Post:
    post = await find_post(session, post_id)
    require_self(current_user, post.user_id)
    for name, value in changes.model_dump(exclude_unset=True).items():
        setattr(post, name, value)
    await session.commit()
    await load_author(session, post)
    return post


@router.delete(
    "/{post_id}", status_code=204, responses=problems(401, 403, 404)
)
async def delete_post(
    session: SessionDep, current_user: CurrentUser, post_id: Id
) -> None:
    post = await find_post(session, post_id)
    require_self(current_user, post.user_id)
    await session.delete(post)
    await session.commit()
