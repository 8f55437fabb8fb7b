"""/api/users/{id}/picture: upload and delete a profile picture.

The order is: write the new file, commit, delete the old file. The file that
the row names therefore always exists. If the commit fails, the new file is
deleted and nothing has changed. If the request is cancelled, the new file
stays, because a COMMIT in progress may still succeed.
"""

from fastapi import APIRouter, HTTPException, UploadFile
from sqlalchemy.orm import Session

from apps.shared import statements
from apps.shared.images import (
    check_upload_size,
    make_profile_picture,
    random_name,
)
from apps.shared.models import User
from apps.shared.schemas import Id, UserPrivate, error_responses
from apps.shared.security import require_owner

from apps.sync_app.database import PICTURES, SessionDep
from apps.sync_app.dependencies import CurrentUser

router = APIRouter(prefix="/api/users", tags=["users"])


def lock_user(session: Session, user_id: int) -> User:
    """Return the user, whom no other request can change before the commit."""
    result = session.execute(statements.user_for_update(user_id))
    if user := result.scalar_one_or_none():
        return user
    raise HTTPException(404, "User not found")


def remove_picture(name: str | None) -> None:
    """Delete the picture file `name`, if there is one."""
    if name:
        # Only this worker thread waits for the disk.
        (PICTURES / name).unlink(missing_ok=True)


@router.patch(
    "/{user_id}/picture",
    response_model=UserPrivate,
    responses=error_responses(400, 401, 403, 404, 409, 413),
)
def replace_picture(
    session: SessionDep,
    current_user: CurrentUser,
    user_id: Id,
    file: UploadFile,
) -> User:
    """Replace one's own profile picture."""
    require_owner(current_user, user_id)
    check_upload_size(file.size)
    # CPU-bound, in this worker thread. Pillow releases the GIL.
    picture = make_profile_picture(file.file)
    name = random_name()
    try:
        (PICTURES / name).write_bytes(picture)
        user = lock_user(session, user_id)
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
    responses=error_responses(400, 401, 403, 404, 409),
)
def delete_picture(
    session: SessionDep, current_user: CurrentUser, user_id: Id
) -> User:
    """Delete one's own profile picture."""
    require_owner(current_user, user_id)
    user = lock_user(session, user_id)
    old, user.image_file = user.image_file, None
    if old is None:
        raise HTTPException(400, "There is no picture to delete")
    session.commit()
    remove_picture(old)
    return user
