//! Hard cases come back, each alone and all in one database, in every encoding.

use partway_testbed::{HardCase, Random, TextEncoding, hard_cases, write_hard_cases};
use partway_wasmtime::exporter::Exporter;

use crate::support::{Judge, export_with, job_options, round_trip, sha256};

/// Cases that do not come back yet. One that does must leave this list.
const FAULTS: &[&str] = &["NULL in columns made NOT NULL by an edit of the schema"];

#[track_caller]
fn each_case_comes_back_alone(encoding: TextEncoding) {
    let exporter = Exporter::prebuilt().unwrap();
    let mut judges = Judge::all();
    let mut wrong = Vec::new();
    for case in hard_cases() {
        let outcome = round_trip_of(&exporter, &case, encoding, &mut judges);
        match (outcome, FAULTS.contains(&case.name)) {
            (Ok(()), false) | (Err(_), true) => {}
            (Err(error), false) => wrong.push(format!("{}: {error:#}", case.name)),
            (Ok(()), true) => {
                wrong.push(format!("{}: comes back, and is listed as a fault", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{encoding}, {} cases:\n{}", wrong.len(), wrong.join("\n"));
}

fn round_trip_of(
    exporter: &Exporter,
    case: &HardCase,
    encoding: TextEncoding,
    judges: &mut [Judge],
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("original.db");
    case.write(&file, encoding)?;
    let mut random = Random::new(case.name.len() as u64);
    // Large ones go in larger pieces, so that the number of slices stays about the same.
    let large = std::fs::metadata(&file)?.len() > 1024 * 1024;
    let most = if large { 300 } else { 20 };
    let budget = || 1 + random.below(most) as u32;
    let came_back = round_trip(exporter, &file, folder.path(), 4096, budget)?;
    judges.iter_mut().try_for_each(|judge| judge.compare(&file, &came_back.restored))
}

#[test]
fn each_case_comes_back_in_utf_8() {
    each_case_comes_back_alone(TextEncoding::Utf8);
}

#[test]
fn each_case_comes_back_in_utf_16_of_low_bytes_first() {
    each_case_comes_back_alone(TextEncoding::Utf16le);
}

#[test]
#[ignore = "takes long; cargo xtask test --long"]
fn each_case_comes_back_in_utf_16_of_high_bytes_first() {
    each_case_comes_back_alone(TextEncoding::Utf16be);
}

/// In small parts, some to a slice, against one slice; then in slices of one part.
#[track_caller]
fn all_cases_come_back_and_slices_change_nothing(encoding: TextEncoding) {
    let exporter = Exporter::prebuilt().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hard cases.db");
    write_hard_cases(&file, encoding, FAULTS).unwrap();
    let mut random = Random::new(5);
    let budget = || 1 + random.below(1_000) as u32;
    let came_back = round_trip(&exporter, &file, folder.path(), 4096, budget)
        .unwrap_or_else(|error| panic!("{encoding}: {error:#}"));
    for mut judge in Judge::all() {
        judge
            .compare(&file, &came_back.restored)
            .unwrap_or_else(|error| panic!("{encoding}: {error:#}"));
    }
    let options = job_options(1024 * 1024 + 1);
    let singly = export_with(&exporter, &file, folder.path(), options, || 1).unwrap();
    let totals = singly.finished.totals;
    assert!(totals.slices > 10 && totals.slices == totals.parts, "{totals:?}");
    assert_eq!(sha256(&singly.file), came_back.sha256, "{encoding}");
}

#[test]
fn all_cases_in_one_database_come_back_in_utf_8() {
    all_cases_come_back_and_slices_change_nothing(TextEncoding::Utf8);
}

#[test]
fn all_cases_in_one_database_come_back_in_utf_16_of_low_bytes_first() {
    all_cases_come_back_and_slices_change_nothing(TextEncoding::Utf16le);
}

#[test]
#[ignore = "takes long; cargo xtask test --long"]
fn all_cases_in_one_database_come_back_in_utf_16_of_high_bytes_first() {
    all_cases_come_back_and_slices_change_nothing(TextEncoding::Utf16be);
}

#[test]
fn cases_have_names_of_their_own() {
    let mut names: Vec<_> = hard_cases().iter().map(|case| case.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), hard_cases().len());
    assert!(FAULTS.iter().all(|fault| names.contains(fault)), "{FAULTS:?}");
}
