//! Clients that order exports, ask for them, take them, watch them, and break off.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::Duration;

use base16ct::lower::encode_string as hex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use ureq::Agent;
use ureq::http::Response;

use super::{Dice, World};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many unfinished exports there are when no more are ordered.
const ENOUGH: usize = 8;

fn agent() -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(PATIENCE))
        .build();
    config.into()
}

fn rest(dice: &mut Dice, most: usize) {
    sleep(Duration::from_millis(20 + dice.below(most) as u64));
}

/// An answer, if there is one: between two lives of the service there is none.
fn ask(
    world: &World,
    agent: &Agent,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
) -> Option<(Response<ureq::Body>, Vec<u8>)> {
    let mut request =
        ureq::http::Request::builder().method(method).uri(format!("{}{path}", world.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answered = agent.run(request.body(body).unwrap()).and_then(|mut response| {
        let body = response.body_mut().with_config().limit(u64::MAX).read_to_vec()?;
        Ok((response, body))
    });
    match answered {
        Ok((response, body)) => {
            world.counts.answers.fetch_add(1, Ordering::Relaxed);
            let status = response.status().as_u16();
            if status >= 500 {
                let id = response.headers().get("x-request-id");
                let id = id.map_or("", |id| id.to_str().unwrap()).to_owned();
                world.server_errors.lock().unwrap().push((status, id));
            }
            Some((response, body))
        }
        Err(_) => {
            world.counts.unanswered.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

fn result(body: &[u8]) -> Value {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body["result"].clone()
}

/// Orders exports, each by a key: a client that got no answer asks again.
pub fn order(world: &World, mut dice: Dice) {
    let agent = agent();
    let mut number = 0;
    while world.goes_on() {
        rest(&mut dice, 600);
        let listed = ask(world, &agent, "GET", "/exports?limit=50", &[], String::new());
        let all = listed.map(|(_, body)| result(&body)).unwrap_or_default();
        let unfinished =
            all.as_array().into_iter().flatten().filter(|it| it["finishedAt"].is_null());
        if unfinished.count() >= ENOUGH {
            continue;
        }
        number += 1;
        let key = format!("{}-{number}", dice.0);
        let (database, _) = dice.one_of(&world.dumps).unwrap();
        let wish = json!({ "database": database }).to_string();
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        let mut ids = Vec::new();
        while world.goes_on() {
            match ask(world, &agent, "POST", "/export/dump", &headers, wish.clone()) {
                Some((response, body)) if response.status() == 202 => {
                    ids.push(result(&body)["exportId"].as_str().unwrap().to_owned());
                    // Asked once more now and then, it must be the same one.
                    if ids.len() > 1 || dice.below(4) > 0 {
                        break;
                    }
                }
                Some((response, _)) if response.status() == 429 => break,
                _ => rest(&mut dice, 200),
            }
        }
        if ids.iter().any(|id| *id != ids[0]) {
            world.is_wrong(format!("one key has made {ids:?}"));
        }
        ids.truncate(1);
        world.accepted.lock().unwrap().append(&mut ids);
    }
}

fn some_export(world: &World, dice: &mut Dice) -> Option<String> {
    let accepted = world.accepted.lock().unwrap();
    // The newest are those of which something is to be had.
    let newest = &accepted[accepted.len().saturating_sub(12)..];
    dice.one_of(newest).cloned()
}

/// Asks for this and that. An export that was accepted is known from then on.
pub fn poll(world: &World, mut dice: Dice) {
    let agent = agent();
    while world.goes_on() {
        rest(&mut dice, 150);
        let id = some_export(world, &mut dice);
        let path = match (dice.below(30), &id) {
            (3, _) => "/export/dump?database=damaged".to_owned(),
            (0, _) => "/exports?limit=20".to_owned(),
            (1, _) => "/metrics".to_owned(),
            (2, _) => "/readyz".to_owned(),
            (_, Some(id)) => format!("/export/status/{id}"),
            (_, None) => "/healthz".to_owned(),
        };
        let Some((response, _)) = ask(world, &agent, "GET", &path, &[], String::new()) else {
            continue;
        };
        if response.status() == 404 {
            world.is_wrong(format!("{path} is not known any more"));
        }
    }
}

/// Begins downloads, dumps and streams of events, and goes away in the middle.
pub fn break_off(world: &World, mut dice: Dice) {
    while world.goes_on() {
        rest(&mut dice, 200);
        let id = some_export(world, &mut dice).unwrap_or_else(|| "0123456789abcdef".to_owned());
        let path = match dice.below(4) {
            0 => "/export/dump?database=small".to_owned(),
            1 => format!("/export/status/{id}/events"),
            _ => format!("/export/download/{id}"),
        };
        let bytes = [0, 1, 300, 70_000, 1_000_000][dice.below(5)];
        if break_off_once(world, &path, bytes, dice.below(2) == 0).is_ok() {
            world.counts.broken_off.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn break_off_once(world: &World, path: &str, bytes: u64, resets: bool) -> io::Result<()> {
    let mut stream = TcpStream::connect(world.url.trim_start_matches("http://"))?;
    stream.set_read_timeout(Some(Duration::from_secs(3)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")?;
    io::copy(&mut (&mut stream).take(bytes), &mut io::sink()).ok();
    if resets {
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    } else {
        stream.shutdown(Shutdown::Write)?;
    }
    Ok(())
}

/// Watches exports until they end, or the service does.
pub fn keep_watch(world: &World, mut dice: Dice) {
    let agent = agent();
    while world.goes_on() {
        rest(&mut dice, 200);
        let Some(id) = some_export(world, &mut dice) else { continue };
        let path = format!("/export/status/{id}/events");
        let Some((_, body)) = ask(world, &agent, "GET", &path, &[], String::new()) else {
            continue;
        };
        let text = String::from_utf8_lossy(&body);
        let last = text.lines().filter_map(|line| line.strip_prefix("data:")).next_back();
        let last: Value = last.map(|it| serde_json::from_str(it).unwrap()).unwrap_or_default();
        if text.contains("id: final") && last["finishedAt"].is_null() {
            world.is_wrong(format!("the last event of {id} is {last}"));
        }
    }
}

/// Takes each object that is done, compares it, and deletes it.
pub fn take_away(world: &World) {
    let agent = agent();
    let mut dice = Dice(500);
    while world.goes_on() {
        rest(&mut dice, 100);
        let listed = ask(world, &agent, "GET", "/exports?limit=200", &[], String::new());
        let all = listed.map(|(_, body)| result(&body)).unwrap_or_default();
        for status in all.as_array().into_iter().flatten() {
            if status["status"] != "done" || status["prunedAt"].is_string() || !world.goes_on() {
                continue;
            }
            let database = status["database"].as_str().unwrap();
            let (_, sha256) = world.dumps.iter().find(|(name, _)| name == database).unwrap();
            let path = status["downloadUrl"].as_str().unwrap();
            let Some((response, body)) = ask(world, &agent, "GET", path, &[], String::new()) else {
                continue;
            };
            if response.status() == 200 {
                if hex(&Sha256::digest(&body)) != *sha256 {
                    world.is_wrong(format!("{path} is not the dump of {database}"));
                }
                world.counts.verified.fetch_add(1, Ordering::Relaxed);
                let id = status["exportId"].as_str().unwrap();
                world.taken.lock().unwrap().insert(id.to_owned());
                let path = format!("/export/{id}");
                ask(world, &agent, "DELETE", &path, &[], String::new());
            } else if response.status() == 410
                && !world.taken.lock().unwrap().contains(status["exportId"].as_str().unwrap())
            {
                world.is_wrong(format!("{path} is gone, and nobody has deleted it"));
            }
        }
    }
}

/// Downloads an object, and compares it.
pub fn verify(url: &str, status: &Value, sha256: &str) -> Result<(), ureq::Error> {
    let url = format!("{url}{}", status["downloadUrl"].as_str().unwrap());
    let mut response = agent().get(&url).call()?;
    assert_eq!(response.status(), 200, "{status}");
    let body = response.body_mut().with_config().limit(u64::MAX).read_to_vec()?;
    assert_eq!(hex(&Sha256::digest(&body)), sha256, "{status}");
    Ok(())
}
