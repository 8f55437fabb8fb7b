from pydantic import BaseModel, ConfigDict


class Token(BaseModel):
    access_token: str
    token_type: str = "bearer"


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    email: str


class ItemIn(BaseModel):
    title: str
    price: int


class ItemOut(ItemIn):
    model_config = ConfigDict(from_attributes=True)

    id: int
    owner_id: int
