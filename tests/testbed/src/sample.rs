//! A sample database: a small shop, with what real databases have: related tables, text of people and
//! machines, blobs, indexes, a view, a trigger. The same bytes every time.

use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::{Connection, params};

use crate::Random;

const SCHEMA: &str = r#"
CREATE TABLE customers (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL COLLATE NOCASE,
  email TEXT UNIQUE,
  balance REAL NOT NULL DEFAULT 0.0,
  note TEXT -- what the support wrote down; may hold "quotes" and line breaks
);
CREATE TABLE products (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  title TEXT NOT NULL,
  price REAL NOT NULL CHECK (price >= 0),
  attributes TEXT NOT NULL,
  thumbnail BLOB,
  label TEXT GENERATED ALWAYS AS (title || ' #' || id) VIRTUAL
);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  customer_id INTEGER NOT NULL REFERENCES customers(id),
  placed_at TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'new'
);
CREATE TABLE order_lines (
  order_id INTEGER NOT NULL REFERENCES orders(id),
  line INTEGER NOT NULL,
  product_id INTEGER NOT NULL REFERENCES products(id),
  quantity INTEGER NOT NULL,
  price REAL NOT NULL,
  PRIMARY KEY (order_id, line DESC)
) WITHOUT ROWID;
CREATE TABLE "page views" (at INTEGER, path TEXT, seconds REAL, customer_id INTEGER);
CREATE TABLE settings (key TEXT PRIMARY KEY, value ANY) STRICT;
"#;

const AFTER_ROWS: &str = r#"
CREATE INDEX orders_by_customer ON orders (customer_id, placed_at DESC);
CREATE INDEX lines_by_product ON order_lines (product_id) WHERE quantity > 1;
CREATE INDEX customers_by_domain ON customers (substr(email, instr(email, '@') + 1));
CREATE VIEW turnover AS
  SELECT c.name, sum(l.quantity * l.price) AS total
  FROM customers c JOIN orders o ON o.customer_id = c.id JOIN order_lines l ON l.order_id = o.id
  GROUP BY c.id;
CREATE TRIGGER orders_are_kept BEFORE DELETE ON orders
BEGIN
  SELECT RAISE(ABORT, 'an order is never deleted; cancel it');
END;
"#;

/// Writes a database of one table whose rows are all of a kind, of about so many megabytes, to a path where there is
/// none yet: each stretch of it takes as long to export as any other.
///
/// # Errors
///
/// Those of SQLite.
pub fn write_uniform(path: &Path, megabytes: u64) -> Result<()> {
    let mut connection =
        Connection::open(path).with_context(|| format!("creating {}", path.display()))?;
    connection.execute_batch(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; \
         CREATE TABLE event (id INTEGER PRIMARY KEY, at INTEGER, kind TEXT, amount REAL, note TEXT, data BLOB)",
    )?;
    let mut random = Random::new(2027);
    let transaction = connection.transaction()?;
    {
        let mut insert =
            transaction.prepare("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        // One unit is about a megabyte.
        for id in 0..megabytes * 8_800 {
            let words = format!("{:016x} {:016x}", random.below(u64::MAX), random.below(u64::MAX));
            let kind = ["open", "close", "payment"][random.below(3) as usize];
            let amount = random.below(1_000_000) as f64 / 100.0;
            let at = 1_790_000_000_000 + id as i64 * 37;
            insert.execute(params![id as i64, at, kind, amount, words, &words.as_bytes()[..24]])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Writes the sample database, of about so many megabytes, to a path where there is none yet.
///
/// # Errors
///
/// Those of SQLite.
pub fn write_sample(path: &Path, megabytes: u64) -> Result<()> {
    let mut connection =
        Connection::open(path).with_context(|| format!("creating {}", path.display()))?;
    connection.execute_batch(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA application_id=1347572055; \
         PRAGMA user_version=3;",
    )?;
    connection.execute_batch(SCHEMA)?;
    let transaction = connection.transaction()?;
    let mut shop = Shop { random: Random::new(2026), connection: &transaction };
    // One unit is about a megabyte.
    shop.customers(megabytes * 600)?;
    shop.products(megabytes * 60)?;
    shop.orders(megabytes * 1_800, megabytes * 600, megabytes * 60)?;
    shop.page_views(megabytes * 3_000, megabytes * 600)?;
    shop.settings()?;
    transaction.commit()?;
    connection.execute_batch(AFTER_ROWS)?;
    connection.execute_batch("ANALYZE")?;
    Ok(())
}

struct Shop<'a> {
    random: Random,
    connection: &'a Connection,
}

impl Shop<'_> {
    fn customers(&mut self, count: u64) -> Result<()> {
        let mut insert =
            self.connection.prepare("INSERT INTO customers VALUES (?1, ?2, ?3, ?4, ?5)")?;
        for id in 1..=count {
            let first =
                self.random.pick(&["Ada", "Björn", "Chloé", "Dmitri", "Eve", "Łukasz", "小林"]);
            let last =
                self.random.pick(&["O'Brien", "Smith", "Müller", "García", "van Dijk", "陳"]);
            let email = (self.random.below(10) > 0).then(|| format!("c{id}@example.org"));
            let balance = self.random.below(1_000_000) as f64 / 100.0 - 2_000.0;
            let note = (self.random.below(3) == 0).then(|| self.prose(60));
            insert.execute(params![id, format!("{first} {last}"), email, balance, note])?;
        }
        Ok(())
    }

    fn products(&mut self, count: u64) -> Result<()> {
        let mut insert = self.connection.prepare(
            "INSERT INTO products (title, price, attributes, thumbnail) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for _ in 0..count {
            let title = self.prose(4);
            let price = self.random.below(100_000) as f64 / 100.0;
            let attributes = format!(
                r#"{{"weight":{},"colour":"{}","text":"{}"}}"#,
                self.random.below(5000) as f64 / 7.0,
                self.random.pick(&["red", "green", "it's blue", "\\\"black\\\""]),
                self.prose(40).replace(['"', '\n'], " "),
            );
            let length = self.random.below(6_000) as usize;
            let thumbnail = (length > 600).then(|| self.random.bytes(length));
            insert.execute(params![title, price, attributes, thumbnail])?;
        }
        Ok(())
    }

    fn orders(&mut self, count: u64, customers: u64, products: u64) -> Result<()> {
        let mut insert = self.connection.prepare("INSERT INTO orders VALUES (?1, ?2, ?3, ?4)")?;
        let mut insert_line =
            self.connection.prepare("INSERT INTO order_lines VALUES (?1, ?2, ?3, ?4, ?5)")?;
        for id in 1..=count {
            let placed = format!(
                "20{:02}-{:02}-{:02}T{:02}:{:02}:00Z",
                self.random.below(26),
                self.random.below(12) + 1,
                self.random.below(28) + 1,
                self.random.below(24),
                self.random.below(60),
            );
            let state = self.random.pick(&["new", "paid", "sent", "returned"]);
            insert.execute(params![id, self.random.below(customers) + 1, placed, state])?;
            for line in 0..self.random.below(5) {
                let product = self.random.below(products) + 1;
                let price = self.random.below(100_000) as f64 / 100.0;
                insert_line.execute(params![id, line, product, self.random.below(4) + 1, price])?;
            }
        }
        Ok(())
    }

    fn page_views(&mut self, count: u64, customers: u64) -> Result<()> {
        let mut insert =
            self.connection.prepare("INSERT INTO \"page views\" VALUES (?1, ?2, ?3, ?4)")?;
        for number in 0..count {
            let path = format!("/p/{}?from={}", self.random.below(9_999), self.random.below(99));
            let seconds = self.random.below(u64::from(u32::MAX)) as f64 / 7.0e6;
            let customer = (self.random.below(2) == 0).then(|| self.random.below(customers) + 1);
            insert.execute(params![1_700_000_000_000 + number * 311, path, seconds, customer])?;
        }
        Ok(())
    }

    fn settings(&mut self) -> Result<()> {
        let mut insert = self.connection.prepare("INSERT INTO settings VALUES (?1, ?2)")?;
        insert.execute(params!["currency", "EUR"])?;
        insert.execute(params!["vat", 0.19])?;
        insert.execute(params!["next invoice", i64::MAX])?;
        insert.execute(params!["logo", self.random.bytes(300)])?;
        insert.execute(params!["closed until", None::<i64>])?;
        Ok(())
    }

    /// So many words, as people write them.
    fn prose(&mut self, words: u64) -> String {
        let mut text = String::new();
        for word in 0..words {
            if word > 0 {
                text.push_str(self.random.pick(&[" ", " ", " ", " ", ", ", ". ", "\n"]));
            }
            text.push_str(self.random.pick(&[
                "order",
                "the",
                "customer's",
                "\"urgent\"",
                "parcel",
                "said",
                "grüße",
                "it's",
                "late",
                "refund",
                "; --",
                "100 %",
                "delivery",
                "naïve",
                "と",
                "on",
                "Monday",
                "never",
                "again",
            ]));
        }
        text
    }
}
