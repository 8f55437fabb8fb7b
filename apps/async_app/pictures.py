"""/api/users/{id}/picture, and the order in which file and row change.

The new file is written, then the commit, then the old file goes: at every
moment the file that the row names is there. If the commit fails, the new
file goes, and nothing has happened. If the request is cancelled, it stays:
a COMMIT that nobody waits for any more may still be carried out.
"""

from fastapi import APIRouter, HTTPException, UploadFile
from fastapi.concurrency import run_in_threadpool

from apps.shared import statements
from apps.shared.images import new_name, profile_picture, refuse_too_large
from apps.shared.models import User
from apps.shared.schemas import Id, UserPrivate, problems
from apps.shared.security import require_self

from apps.async_app.database import PICTURES, SessionDep
from apps.async_app.dependencies import CurrentUser

router = APIRouter(prefix="/api/users", tags=["users"])


async def hold_user(session: SessionDep, user_id: int) -> User:
    # From here to the commit no other request can change this user.
    result = await session.execute(statements.held_user(user_id))
    if user := result.scalar_one_or_none():
        return user
    raise HTTPException(404, "User not found")


async def remove_picture(name: str | None) -> None:
    if name:
        # The loop must not wait for the disk.
        await run_in_threadpool((PICTURES / name).unlink, missing_ok=True)


@router.patch(
    "/{user_id}/picture",
    response_model=UserPrivate,
    responses=problems(400, 401, 403, 404, 409, 413),
)
async def replace_picture(
    session: SessionDep,
    current_user: CurrentUser,
    user_id: Id,
    file: UploadFile,
) -> User:
    require_self(current_user, user_id)
    refuse_too_large(file.size)
    # CPU-bound: on the loop it would stop every other request.
    picture = await run_in_threadpool(profile_picture, file.file)
    name = new_name()
    try:
        await run_in_threadpool((PICTURES / name).write_bytes, picture)
        user = await hold_user(session, user_id)
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
    responses=problems(400, 401, 403, 404, 409),
)
async def delete_picture(
    session: SessionDep, current_user: CurrentUser, user_id: Id
) -> User:
    require_self(current_user, user_id)
    user = await hold_user(session, user_id)
    old, user.image_file = user.image_file, None
    if old is None:
        raise HTTPException(400, "There is no picture to delete")
    await session.commit()
    await remove_picture(old)
    return user
