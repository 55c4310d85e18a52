-- What the shop sells.
create table products (
    id integer primary key not null,
    name varchar(100) not null unique,
    price integer not null check (price >= 0),
    stock integer not null check (stock >= 0)
);
