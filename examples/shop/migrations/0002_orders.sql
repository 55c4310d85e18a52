-- What was sold. A product that is in an order cannot be deleted.
create table orders (
    number text primary key not null,
    placed timestamp not null default current_timestamp
);

create table order_lines (
    order_number text not null references orders (number),
    product_id integer not null references products (id),
    quantity integer not null check (quantity > 0),
    price integer not null,
    primary key (order_number, product_id)
);

create index order_lines_product on order_lines (product_id);
