//! Partway from end to end: the program as a process of its own, the library, real servers, hostile components.
//!
//! | module | promise |
//! |---|---|
//! | `bad_input` | each mistake gives a clear error and the documented exit code |
//! | `component::all_wasi` | a program of components alone, with no host of ours, writes the same objects |
//! | `component::asynchronous` | an asynchronous host writes the same object, and its other tasks run meanwhile |
//! | `component::codec` | the codec component writes what the program writes, and bad codecs are named |
//! | `component::composition` | components compose, and import nothing but the contract |
//! | `component::contract` | every item has its version, and a host runs components of compatible ones |
//! | `component::engines` | rows that Turso and DuckDB read are exported by the same component |
//! | `component::examples` | hosts written from the contract alone, in three languages, write the same objects |
//! | `component::formats` | formats in Python and JavaScript run in the program and write what Python's own SQLite says; so do new components |
//! | `component::hostile` | whatever a component does, the host names it, and no object appears |
//! | `component::redaction` | a policy keeps personal data back, and what does not fit it exports nothing |
//! | `component::redaction_enemy` | what random policies keep back is nowhere in the object |
//! | `component::importer` | a dump restores statement by statement, in ranges, whatever interrupts it |
//! | `component::same_object` | every host makes the same object of one database |
//! | `component::rows_check` | the check of `rows` finds nothing wrong with ours, and finds planted faults |
//! | `dump` | the stock `sqlite3` program restores a dump to the same database |
//! | `dump::d1` | a dump for D1 loads into the real workerd (feature `workerd`) |
//! | `dump::damage` | what can be read of a damaged database is exported, and marked incomplete |
//! | `dump::image` | an image is the database file, page by page, whatever the slices |
//! | `dump::{hard_cases, random, proj}` | hard cases, random databases and databases in use come back |
//! | `dump::subsets` | a part of a database is what was asked for, in slices too, and is known as a part |
//! | `dump::large_values` | values as large as SQLite allows need little memory |
//! | `encoding` | compressed and encrypted objects are read by the programs of others, and damage to them is named |
//! | `export::codec_component` | an object that somebody else's codec compresses is as safe as others |
//! | `export::consistency` | a dump is one state of the database, whoever writes meanwhile |
//! | `export::each_table` | each table is an object of its own, all of one moment, and all of them appear or none |
//! | `export::file_faults` | whichever call to the file system fails, the object is whole or not there |
//! | `export::kills` | an export survives a hundred kills |
//! | `export::parquet` | Parquet files mean the database's values to pyarrow and DuckDB, the same however they are sliced |
//! | `export::parquet_look` | the look at a table's rows before that is sliced, killed and told as all else is |
//! | `export::progress` | progress is told true within ten points, from the first slice to the last |
//! | `export::read_faults` | a failed read never makes an export mix two states |
//! | `export::same_bytes` | every format in every encoding is the same, in one slice and many, and whenever it is killed |
//! | `export::slices` | slices, crashes and repeats do not change the object |
//! | `export::standard_output` | an interrupted stream leaves nothing behind |
//! | `export::text_formats` | CSV, NDJSON and JSON mean the database's values to Python, the `sqlite3` program, DuckDB and pandas |
//! | `jobs` | jobs are listed, cancelled, resumed and pruned, and never run twice at a time |
//! | `jobs::lost_state` | a deleted state folder damages and loses no object |
//! | `jobs::objects` | only the object that a job has made is sent or deleted as its own |
//! | `jobs::privacy` | state files, copies and secrets are for their owner alone |
//! | `jobs::simulation` | jobs end well under every failure of hosts, stores and clocks |
//! | `jobs::timer` | timers finish jobs that nobody waits for |
//! | `manifest` | what a manifest lists is in the object, and `verify` names what is not |
//! | `restore` | `partway restore` makes a database of a dump that is whole, and of no other |
//! | `service` | exports over HTTP: answers, tokens, limits, events, logs, metrics, readiness, the page in a browser |
//! | `service::chaos` | breaking clients, a failing store and restarts lose nothing (ten minutes with `--long`) |
//! | `service::identity` | an object put in the place of an export's is neither sent nor deleted |
//! | `service::load` | many clients hold nothing up (takes minutes) |
//! | `sqlite_extension` | inside SQLite, exports are the same, and the connection stays as it was |
//! | `sqlite_extension::python` | so it is in Python, Datasette and other versions of SQLite; interrupts end exports at once |
//! | `store::conformance` | every store keeps the promises of a store |
//! | `store::credentials` | a missing or wrong access key is named at once, and profiles work |
//! | `store::faults` | whatever happens to a request, an object is whole or is not there |
//! | `store::races` | of two uploads to one name, the other is not lost unnoticed |
//! | `store::s3` | the program exports to S3 |
//! | `verify` | `partway verify` finds what is wrong with a dump |
//!
//! All run side by side in one process. So a test has a folder and ports of its own, changes neither the environment nor
//! the current folder, and waits for states, not for times. One that loads every processor, or measures, takes a turn
//! (`support::turn`).

mod bad_input;
mod component {
    mod all_wasi;
    mod asynchronous;
    mod codec;
    mod composition;
    mod contract;
    mod engines;
    mod examples;
    mod formats;
    mod hostile;
    mod importer;
    mod marks;
    mod redacting_exporter;
    mod redaction;
    mod redaction_enemy;
    mod redactor_host;
    mod rows_check;
    mod same_object;
}
mod dump;
mod encoding;
mod export {
    mod codec_component;
    mod consistency;
    #[cfg(target_os = "linux")]
    mod each_table;
    #[cfg(target_os = "linux")]
    mod file_faults;
    mod kills;
    mod parquet;
    mod parquet_look;
    mod progress;
    #[cfg(target_os = "linux")]
    mod read_faults;
    mod same_bytes;
    mod slices;
    mod standard_output;
    mod text_formats;
}
mod jobs;
mod manifest;
mod restore;
mod service;
mod sqlite_extension;
mod store {
    mod conformance;
    mod credentials;
    mod faults;
    mod races;
    mod s3;
}
mod support;
mod verify;
