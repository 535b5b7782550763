//! The codec component, and components that misbehave in its place.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use partway_codec::{BlockEncoder, EncodedStream};
use partway_testbed::write_sample;
use partway_wasmtime::Limits;
use partway_wasmtime::codec::{Codec, CodecError, Options};

use crate::support::{export, hostile_codec, interfaces};

const BLOCK: u32 = 64 * 1024;

/// The component, as it is built; none, and a line that says so, where there is no compiler of C for wasm.
fn component() -> Option<Vec<u8>> {
    let file = std::env::var_os("PARTWAY_TEST_CODEC").map(PathBuf::from);
    if file.is_none() {
        writeln!(
            std::io::stderr(),
            "SKIPPED: it needs clang; `cargo xtask test` installs it on Debian"
        )
        .ok();
    }
    file.map(|file| fs::read(file).unwrap())
}

fn options(encoding: &str, block_size: u32) -> Options {
    let (encoding, level) =
        encoding.split_once(':').map_or((encoding, None), |(e, l)| (e, Some(l)));
    let settings = level.map(|level| ("level".to_owned(), level.to_owned()));
    Options { encoding: encoding.to_owned(), block_size, settings: settings.into_iter().collect() }
}

/// What the program makes of a dump.
fn native(encoding: &str, dump: &[u8], block_size: u32) -> Vec<u8> {
    let blocks = BlockEncoder::new(Some(encoding.parse().unwrap()));
    let mut stream = EncodedStream::begin(&blocks, &[], block_size).unwrap();
    for (block, number) in dump.chunks(block_size as usize).zip(1..) {
        stream.push(&blocks.encode(number, block).unwrap(), block.len() as u32).unwrap();
    }
    stream.end(&blocks).unwrap();
    stream.take_rest()
}

fn dump(megabytes: u64) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("sample.db");
    write_sample(&database, megabytes).unwrap();
    fs::read(export(&database, folder.path(), 1024 * 1024, || u32::MAX).file).unwrap()
}

#[test]
fn the_codec_component_needs_nothing_and_writes_what_the_program_writes() {
    let Some(component) = component() else { return };
    let found = interfaces(&component);
    assert_eq!(found.imports, BTreeSet::new());
    assert_eq!(found.exports, BTreeSet::from(["partway:pipe/codec@0.1.0".to_owned()]));
    let codec = Codec::new(&component).unwrap();
    let dump = dump(2);
    let folder = tempfile::tempdir().unwrap();
    for (encoding, suffix, program) in [
        ("zstd", ".zst", "zstd"),
        ("zstd:9", ".zst", "zstd"),
        ("zstd:19", ".zst", "zstd"),
        ("gzip", ".gz", "gzip"),
        ("gzip:6", ".gz", "gzip"),
        ("gzip:12", ".gz", "gzip"),
    ] {
        let options = options(encoding, BLOCK);
        let description = codec.start(&options).unwrap();
        assert_eq!(description.suffix, suffix);
        // The last first, and each in an instance that has done others or none.
        let mut encoder = codec.encoder(&options).unwrap();
        let blocks = dump.chunks(BLOCK as usize).enumerate().collect::<Vec<_>>();
        let mut encoded = vec![Vec::new(); blocks.len()];
        for (index, block) in blocks.into_iter().rev() {
            if index % 5 == 0 {
                encoder = codec.encoder(&options).unwrap();
            }
            encoded[index] = encoder.encode(index as u32 + 1, block).unwrap();
        }
        let sizes = encoded.iter().map(|block| block.len() as u32).collect::<Vec<_>>();
        let tail = codec.finish(&options, dump.len() as u64, &sizes).unwrap();
        let object = [description.head, encoded.concat(), tail].concat();
        assert!(object == native(encoding, &dump, BLOCK), "{encoding}");
        let file = folder.path().join(format!("object{suffix}"));
        fs::write(&file, object).unwrap();
        if std::env::var_os("PARTWAY_TEST_CODECS").is_some() {
            let output = Command::new(program).args(["-d", "-c"]).arg(&file).output().unwrap();
            assert!(
                output.stdout == dump,
                "{encoding}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}

#[test]
fn options_that_the_codec_component_does_not_know_are_refused_with_what_it_knows() {
    let Some(component) = component() else { return };
    let codec = Codec::new(&component).unwrap();
    for (encoding, expected) in [
        ("lz4", "\"lz4\" is not a compression: use zstd, zstd:LEVEL, gzip or gzip:LEVEL"),
        ("zstd:20", "\"20\" is not a level of zstd: use a number from 1 to 19"),
    ] {
        let error = codec.start(&options(encoding, BLOCK)).unwrap_err();
        assert!(matches!(error, CodecError::InvalidOptions(_)), "{error:?}");
        assert!(error.to_string().ends_with(expected), "{error}");
    }
    let mut odd = options("zstd", BLOCK);
    odd.settings.push(("window".to_owned(), "1".to_owned()));
    let error = codec.start(&odd).unwrap_err().to_string();
    assert!(error.contains("no setting \"window\""), "{error}");
    let error = codec.finish(&options("zstd", BLOCK), 1, &[9, 9]).unwrap_err().to_string();
    assert!(error.contains("2 blocks of 65536 bytes are not 1 bytes"), "{error}");
}

#[test]
fn whatever_a_codec_does_the_host_names_it() {
    let codec = Codec::new(hostile_codec()).unwrap();
    for (way, expected) in [
        ("suffix", "its suffix is \"/../../etc/passwd\""),
        ("media-type", "its media type is \"text/plain\\r\\nset-cookie: a=b\""),
        ("head", "it returned 1048576 bytes for the object's first bytes, but may return 65536"),
    ] {
        let error = codec.start(&options(way, BLOCK)).unwrap_err().to_string();
        assert!(error.contains("broke the contract") && error.contains(expected), "{way}: {error}");
    }
    let limits = Limits { overrun: Duration::from_millis(300), ..Limits::default() };
    let codec = codec.with_limits(limits);
    for (way, expected) in [
        ("crash", "the codec crashed: "),
        ("endless", "the codec was stopped"),
        ("too-long", "it returned 196609 bytes for a block, but may return 196608"),
        ("memory", "the codec needs more than its 64 MiB of memory"),
        ("fail", "the codec failed: no\\nidea!"),
        ("refuse", "the codec refuses the options: not these"),
    ] {
        let mut encoder = codec.encoder(&options(way, BLOCK)).unwrap();
        let error = encoder.encode(1, &[7; BLOCK as usize]).unwrap_err().to_string();
        assert!(error.contains(expected) && error.len() < 5_000, "{way}: {error}");
    }
}

/// The processor time that this process has used so far, in seconds: others may use the machine too.
fn processor_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // After the name, which may hold anything: the 14th and 15th fields, in hundredths.
    let fields = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
    fields.map(|field| field.parse::<f64>().unwrap() / 100.0).sum()
}

/// Native and component, on as many threads as there are processors and on one, in turns. `--nocapture` shows it.
#[test]
#[ignore = "it measures, alone"]
fn the_component_is_not_much_slower_than_the_program() {
    let Some(component) = component() else { return };
    let codec = Codec::new(&component).unwrap();
    let dump = match std::env::var_os("PARTWAY_MEASURED_DUMP") {
        Some(file) => fs::read(file).unwrap(),
        None => dump(40),
    };
    let (size, threads) = (1 << 20, std::thread::available_parallelism().unwrap().get());
    for encoding in ["zstd", "zstd:3", "gzip", "gzip:6"] {
        let encoding_options = options(encoding, size);
        let native = BlockEncoder::new(Some(encoding.parse().unwrap()));
        let mut ratios = Vec::new();
        for round in 0..5 {
            let mut seconds = Vec::new();
            for (is_component, threads) in
                [(false, threads), (true, threads), (false, 1), (true, 1)]
            {
                let (began, used) = (Instant::now(), processor_seconds());
                let bytes: usize = std::thread::scope(|scope| {
                    let work = |thread: usize| {
                        let mut encoder =
                            is_component.then(|| codec.encoder(&encoding_options).unwrap());
                        let blocks =
                            dump.chunks(size as usize).enumerate().skip(thread).step_by(threads);
                        blocks
                            .map(|(index, block)| match &mut encoder {
                                Some(encoder) => {
                                    encoder.encode(index as u32 + 1, block).unwrap().len()
                                }
                                None => native.encode(index as u32 + 1, block).unwrap().len(),
                            })
                            .sum::<usize>()
                    };
                    let started = (0..threads).map(|thread| scope.spawn(move || work(thread)));
                    started
                        .collect::<Vec<_>>()
                        .into_iter()
                        .map(|thread| thread.join().unwrap())
                        .sum()
                });
                let (taken, used) = (began.elapsed().as_secs_f64(), processor_seconds() - used);
                seconds.push(used);
                println!(
                    "{round} {encoding} {} on {threads}: {:.0} MB/s, {:.0} MB for each second of a processor, ratio {:.3}",
                    if is_component { "component" } else { "native" },
                    dump.len() as f64 / taken / 1e6,
                    dump.len() as f64 / used / 1e6,
                    dump.len() as f64 / bytes as f64,
                );
            }
            ratios.push((seconds[1] / seconds[0], seconds[3] / seconds[2]));
        }
        ratios.sort_by(|one, other| one.1.total_cmp(&other.1));
        println!("{encoding}: component / native, on one thread: {:.2}", ratios[2].1);
        assert!(ratios[2].1 < 4.0, "{ratios:?}");
    }
}
