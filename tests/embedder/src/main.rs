//! A whole host with its own engine, rows and parts, asynchronous. It prints the dump of a table of squares.
use std::sync::Arc;

use partway_wasmtime::exporter::{Budget, Exporter, Options, Outcome};
use partway_wasmtime::rows::{Batch, Cursor, Error, Object, Rows, Schema};
use partway_wasmtime::{PipeCtx, Ticker, async_trait, config, parts};
struct Squares(u8, u8); // Rows that were read, and those of them before the last batch.
type Opened = Result<Box<dyn Cursor>, Error>;
#[async_trait]
impl Rows for Squares {
    async fn describe(&mut self) -> Result<Schema, Error> {
        Ok(Schema::new(vec![Object::table("squares", "CREATE TABLE squares (a)", &["a"])]))
    }
    async fn scan(&mut self, _: &[u8], _: &[Vec<u8>], after: Option<&[u8]>) -> Opened {
        let read = after.and_then(|position| position.first().copied()).unwrap_or(0);
        Ok(Box::new(Squares(read, read)))
    }
}

#[async_trait]
impl Cursor for Squares {
    async fn next(&mut self, _max_bytes: u32) -> Result<Arc<Batch>, Error> {
        let mut batch = Batch::default();
        self.1 = self.0;
        if self.0 < 100 {
            self.0 += 1;
            batch.push_integer(i64::from(self.0).pow(2));
            batch.end_row();
        }
        Ok(Arc::new(batch))
    }
    async fn position(&mut self, rows: u32) -> Result<Vec<u8>, Error> {
        Ok(vec![self.1 + rows as u8])
    }
}

struct Stdout;
#[async_trait]
impl parts::Parts for Stdout {
    async fn write(&mut self, _number: u32, bytes: &[u8]) -> Result<(), parts::Error> {
        print!("{}", String::from_utf8_lossy(bytes));
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = wasmtime::Engine::new(&config())?;
    let _ticker = Ticker::start(&engine)?;
    let exporter = Exporter::prebuilt_with_engine(&engine)?;
    let mut saved = exporter.start_async(Squares(0, 0), &Options::new("sql", 4096)).await?;
    let ctx = || PipeCtx::builder().build(Squares(0, 0), Stdout);
    while let Outcome::More(more) =
        exporter.resume_async(ctx(), &saved, Budget { parts: 1 }).await?
    {
        saved = more.checkpoint;
    }
    Ok(())
}
