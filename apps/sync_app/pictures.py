"""/api/users/{id}/picture, and the order in which file and row change.

The new file is written, then the commit, then the old file goes: at every
moment the file that the row names is there. If the commit fails, the new
file goes, and nothing has happened. If the request is cancelled, it stays:
a COMMIT that nobody waits for any more may still be carried out.
"""

from fastapi import APIRouter, HTTPException, UploadFile

from apps.shared import statements
from apps.shared.images import new_name, profile_picture, refuse_too_large
from apps.shared.models import User
from apps.shared.schemas import Id, UserPrivate, problems
from apps.shared.security import require_self

from apps.sync_app.database import PICTURES, SessionDep
from apps.sync_app.dependencies import CurrentUser

router = APIRouter(prefix="/api/users", tags=["users"])


def hold_user(session: SessionDep, user_id: int) -> User:
    # From here to the commit no other request can change this user.
    result = session.execute(statements.held_user(user_id))
    if user := result.scalar_one_or_none():
        return user
    raise HTTPException(404, "User not found")


def remove_picture(name: str | None) -> None:
    if name:
        # Only this thread waits for the disk.
        (PICTURES / name).unlink(missing_ok=True)


@router.patch(
    "/{user_id}/picture",
    response_model=UserPrivate,
    responses=problems(400, 401, 403, 404, 409, 413),
)
def replace_picture(
    session: SessionDep,
    current_user: CurrentUser,
    user_id: Id,
    file: UploadFile,
) -> User:
    require_self(current_user, user_id)
    refuse_too_large(file.size)
    # CPU-bound: in this thread of the pool. Pillow lets go of the GIL.
    picture = profile_picture(file.file)
    name = new_name()
    try:
        (PICTURES / name).write_bytes(picture)
        user = hold_user(session, user_id)
        old, user.image_file = user.image_file, name
        session.commit()
    except Exception:
        remove_picture(name)
        raise
    remove_picture(old)
    return user


@router.delete(
    "/{user_id}/picture",
    response_model=UserPrivate,
    responses=problems(400, 401, 403, 404, 409),
)
def delete_picture(
    session: SessionDep, current_user: CurrentUser, user_id: Id
) -> User:
    require_self(current_user, user_id)
    user = hold_user(session, user_id)
    old, user.image_file = user.image_file, None
    if old is None:
        raise HTTPException(400, "There is no picture to delete")
    session.commit()
    remove_picture(old)
    return user
