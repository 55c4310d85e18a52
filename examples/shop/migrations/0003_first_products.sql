-- Something to begin with.
insert into products (name, price, stock) values
    ('Pen', 250, 40),
    ('Notebook', 790, 12),
    ('Globe', 8900, 1);
