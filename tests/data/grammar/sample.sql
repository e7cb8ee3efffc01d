-- Stock.
CREATE TABLE items (
  id INTEGER PRIMARY KEY,
  name VARCHAR(32) NOT NULL DEFAULT 'none',
  price NUMERIC(10, 2),
  owner_id INT REFERENCES users (id)
);
CREATE INDEX items_name ON items (name);
INSERT INTO items (id, name, price) VALUES (1, 'it''s', 1.5), (2, 'b', NULL);
SELECT i.name, count(*) AS n, max(price) * 2
FROM items AS i
LEFT JOIN users u ON u.id = i.owner_id
WHERE i.price > 10 AND (u.name LIKE 'a%' OR u.id IN (1, 2, 3)) AND i.name IS NOT NULL
GROUP BY i.name
HAVING count(*) > 1
ORDER BY n DESC
LIMIT 10;
UPDATE items SET price = price + 1 WHERE id = 3;
DELETE FROM items WHERE price BETWEEN 1 AND 2;
WITH t AS (SELECT 1 AS x) SELECT CASE WHEN x = 1 THEN 'one' ELSE 'many' END FROM t;
