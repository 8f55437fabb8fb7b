from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shop.database import Base, SessionLocal, engine, get_db
from shop.models import Item, User
from shop.schemas import ItemIn, ItemOut, Token, UserOut
from shop.security import create_token, hash_password, user_id_of, verify_password


async def add_demo_data() -> None:
    async with SessionLocal() as db:
        if await db.scalar(select(User).limit(1)):
            return
        hashed = hash_password("secret")
        db.add_all(User(email=f"user{n}@example.com", hashed_password=hashed) for n in range(1, 11))
        db.add_all(Item(title=f"Item {n}", price=n, owner_id=1 + n % 10) for n in range(1, 201))
        await db.commit()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await add_demo_data()
    yield
    await engine.dispose()


app = FastAPI(title="Shop", lifespan=lifespan)
Db = Annotated[AsyncSession, Depends(get_db)]
BearerToken = Annotated[str, Depends(OAuth2PasswordBearer(tokenUrl="token"))]


async def get_current_user(db: Db, token: BearerToken) -> User:
    user_id = user_id_of(token)
    user = await db.get(User, user_id) if user_id else None
    if user is None:
        raise HTTPException(401, "Invalid token", headers={"WWW-Authenticate": "Bearer"})
    return user


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/token")
async def login(db: Db, form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> Token:
    user = await db.scalar(select(User).where(User.email == form.username))
    if user is None or not verify_password(form.password, user.hashed_password):
        raise HTTPException(401, "Wrong email or password")
    return Token(access_token=create_token(user.id))


@app.get("/users", response_model=list[UserOut])
async def read_users(db: Db, skip: int = 0, limit: int = 20):
    result = await db.scalars(select(User).order_by(User.id).offset(skip).limit(limit))
    return result.all()


@app.get("/users/me", response_model=UserOut)
async def read_me(user: Annotated[User, Depends(get_current_user)]):
    return user


@app.get("/users/{user_id}", response_model=UserOut)
async def read_user(user_id: int, db: Db):
    if user := await db.get(User, user_id):
        return user
    raise HTTPException(404, "User not found")


@app.get("/items", response_model=list[ItemOut])
async def read_items(db: Db, skip: int = 0, limit: int = 20):
    result = await db.scalars(select(Item).order_by(Item.id).offset(skip).limit(limit))
    return result.all()


@app.get("/items/{item_id}", response_model=ItemOut)
async def read_item(item_id: int, db: Db):
    if item := await db.get(Item, item_id):
        return item
    raise HTTPException(404, "Item not found")


@app.post("/items", response_model=ItemOut, status_code=201)
async def create_item(item: ItemIn, db: Db, user: Annotated[User, Depends(get_current_user)]):
    created = Item(**item.model_dump(), owner_id=user.id)
    db.add(created)
    await db.commit()
    await db.refresh(created)
    return created
