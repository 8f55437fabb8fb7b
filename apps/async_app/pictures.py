"""/api/users/{id}/picture: upload and delete a profile picture.

The order is: write the new file, commit, delete the old file. The file that
the row names therefore always exists. If the commit fails, the new file is
deleted and nothing has changed. If the request is cancelled, the new file
stays, because a COMMIT in progress may still succeed.
"""

from fastapi import APIRouter, HTTPException, UploadFile
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.ext.asyncio import AsyncSession

from apps.shared import statements
from apps.shared.images import (
    check_upload_size,
    make_profile_picture,
    random_name,
)
from apps.shared.models import User
from apps.shared.schemas import Id, UserPrivate, error_responses
from apps.shared.security import require_owner

from apps.async_app.database import PICTURES, SessionDep
from apps.async_app.dependencies import CurrentUser

router = APIRouter(prefix="/api/users", tags=["users"])


async def lock_user(session: AsyncSession, user_id: int) -> User:
    """Return the user, whom no other request can change before the commit."""
    result = await session.execute(statements.user_for_update(user_id))
    if user := result.scalar_one_or_none():
        return user
    raise HTTPException(404, "User not found")


async def remove_picture(name: str | None) -> None:
    """Delete the picture file `name`, if there is one."""
    if name:
        # In a worker thread: the event loop must not wait for the disk.
        await run_in_threadpool((PICTURES / name).unlink, missing_ok=True)


@router.patch(
    "/{user_id}/picture",
    response_model=UserPrivate,
    responses=error_responses(400, 401, 403, 404, 409, 413),
)
async def replace_picture(
    session: SessionDep,
    current_user: CurrentUser,
    user_id: Id,
    file: UploadFile,
) -> User:
    """Replace one's own profile picture."""
    require_owner(current_user, user_id)
    check_upload_size(file.size)
    # CPU-bound: on the event loop it would block all other requests.
    picture = await run_in_threadpool(make_profile_picture, file.file)
    name = random_name()
    try:
        await run_in_threadpool((PICTURES / name).write_bytes, picture)
        user = await lock_user(session, user_id)
        old, user.image_file = user.image_file, name
        await session.commit()
    except Exception:
        await remove_picture(name)
        raise
    await remove_picture(old)
    return user


@router.delete(
    "/{user_id}/picture",
    response_model=UserPrivate,
    responses=error_responses(400, 401, 403, 404, 409),
)
async def delete_picture(
    session: SessionDep, current_user: CurrentUser, user_id: Id
) -> User:
    """Delete one's own profile picture."""
    require_owner(current_user, user_id)
    user = await lock_user(session, user_id)
    old, user.image_file = user.image_file, None
    if old is None:
        raise HTTPException(400, "There is no picture to delete")
    await session.commit()
    await remove_picture(old)
    return user
