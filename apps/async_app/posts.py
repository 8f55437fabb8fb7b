"""/api/posts: list, read, create, update and delete posts."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession

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
    error_responses,
    paginate,
)
from apps.shared.security import require_owner

from apps.async_app.database import SessionDep
from apps.async_app.dependencies import CurrentUser

router = APIRouter(prefix="/api/posts", tags=["posts"])


async def find_post(session: AsyncSession, post_id: int) -> Post:
    """Return the post with its author, or raise HTTPException (404)."""
    result = await session.execute(statements.post_by_id(post_id))
    if post := result.scalar_one_or_none():
        return post
    raise HTTPException(404, "Post not found")


async def get_own_post(
    session: SessionDep, current_user: CurrentUser, post_id: Id
) -> Post:
    """Return a post of the current user, or raise HTTPException."""
    post = await find_post(session, post_id)
    require_owner(current_user, post.user_id)
    return post


OwnPostDep = Annotated[Post, Depends(get_own_post)]


async def load_author(session: AsyncSession, post: Post) -> None:
    """Load the author of a post that was just committed."""
    # By name: refresh() without names reads the columns only.
    try:
        await session.refresh(post, attribute_names=["author"])
    except InvalidRequestError as error:  # deleted after the commit
        raise HTTPException(404, "Post not found") from error


@router.get("", response_model=PostPage)
async def list_posts(
    session: SessionDep, skip: Skip = 0, limit: Limit = POSTS_PER_PAGE
) -> Page:
    """Return one page of posts, newest first."""
    total = await session.scalar(statements.count_posts()) or 0
    result = await session.execute(statements.posts_page(skip, limit))
    return paginate(result.scalars().all(), total, skip, limit)


@router.post(
    "",
    status_code=201,
    response_model=PostResponse,
    responses=error_responses(400, 401, 404, 409),
)
async def create_post(
    session: SessionDep, current_user: CurrentUser, new: PostCreate
) -> Post:
    """Create a post of the current user."""
    post = Post(**new.model_dump(), user_id=current_user.id)
    # add() sends nothing; commit() sends the INSERT.
    session.add(post)
    await session.commit()
    await load_author(session, post)
    return post


@router.get(
    "/{post_id}", response_model=PostResponse, responses=error_responses(404)
)
async def read_post(session: SessionDep, post_id: Id) -> Post:
    """Return one post."""
    # The connection stays checked out until the response is validated. For
    # an `async def` route that happens at once, on the event loop.
    return await find_post(session, post_id)


@router.put(
    "/{post_id}",
    response_model=PostResponse,
    responses=error_responses(400, 401, 403, 404, 409),
)
async def replace_post(
    session: SessionDep, post: OwnPostDep, new: PostCreate
) -> Post:
    """Replace title and content of one's own post."""
    for name, value in new.model_dump().items():
        setattr(post, name, value)
    await session.commit()
    await load_author(session, post)
    return post


@router.patch(
    "/{post_id}",
    response_model=PostResponse,
    responses=error_responses(400, 401, 403, 404, 409),
)
async def update_post(
    session: SessionDep, post: OwnPostDep, changes: PostUpdate
) -> Post:
    """Change the fields of one's own post that are sent."""
    for name, value in changes.model_dump(exclude_unset=True).items():
        setattr(post, name, value)
    await session.commit()
    await load_author(session, post)
    return post


@router.delete(
    "/{post_id}", status_code=204, responses=error_responses(401, 403, 404)
)
async def delete_post(session: SessionDep, post: OwnPostDep) -> None:
    """Delete one's own post."""
    await session.delete(post)
    await session.commit()
