//! Large files: git-lfs's batch API beside the git server, and a store with addresses that carry their own permission.
//!
//! <https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md>. Locks are never held here, so verifying them, which
//! git-lfs does before every push, is all there is.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName};
use hyper::{HeaderMap, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, empty_answer, json_answer, set_header};
use super::model::State;
use super::route::LfsRequest;
use super::smart_http::{self, Operation};
use super::token::random_characters;

/// The type of all of git-lfs's questions and answers.
const LFS_JSON: &str = "application/vnd.git-lfs+json";

/// What an address of the store is good for. Every client that knows it may use it, as at the store behind GitHub.
#[derive(Debug, Clone)]
pub(super) struct Address {
    file: PathBuf,
    upload: bool,
}

/// Answers a question about a repository's large files; it takes the credentials that git's own requests take.
pub(super) fn answer(
    state: &mut State,
    owner: &str,
    repo: &str,
    request: LfsRequest,
    headers: &HeaderMap,
    body: &[u8],
) -> Answer {
    let answered = match request {
        LfsRequest::Batch => batch(state, owner, repo, headers, body),
        LfsRequest::VerifyLocks => smart_http::admit(state, owner, repo, Operation::Push, headers)
            .map(|_| json_answer(StatusCode::OK, &json!({"ours": [], "theirs": []}))),
    };
    let mut answer = answered.unwrap_or_else(|refusal| {
        let unauthorized = refusal.status == StatusCode::UNAUTHORIZED;
        let mut answer = refusal.into_json();
        if unauthorized {
            set_header(&mut answer, HeaderName::from_static("lfs-authenticate"), "Basic realm=\"GitHub\"");
        }
        answer
    });
    set_header(&mut answer, CONTENT_TYPE, LFS_JSON);
    answer
}

#[derive(Debug, Deserialize)]
struct Batch {
    operation: String,
    objects: Vec<Object>,
}

#[derive(Debug, Deserialize)]
struct Object {
    oid: String,
    size: u64,
}

fn batch(state: &mut State, owner: &str, repo: &str, headers: &HeaderMap, body: &[u8]) -> Result<Answer, Refusal> {
    let unprocessable = |message: String| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message);
    let batch: Batch = serde_json::from_slice(body).map_err(|error| unprocessable(error.to_string()))?;
    let upload = match batch.operation.as_str() {
        "upload" => true,
        "download" => false,
        other => return Err(unprocessable(format!("no such operation: {other}"))),
    };
    if let Some(object) = batch.objects.iter().find(|object| !is_oid(&object.oid)) {
        return Err(unprocessable(format!("not an object: {}", object.oid)));
    }
    let operation = if upload { Operation::Push } else { Operation::Fetch };
    let store = smart_http::admit(state, owner, repo, operation, headers)?.directory().join("lfs");
    let objects: Vec<Value> =
        batch.objects.iter().map(|object| offer(state, object, store.join(&object.oid), upload)).collect();
    Ok(json_answer(StatusCode::OK, &json!({"transfer": "basic", "hash_algo": "sha256", "objects": objects})))
}

/// What can be done about one object. Nothing if an object to be uploaded is there already.
fn offer(state: &mut State, object: &Object, file: PathBuf, upload: bool) -> Value {
    let mut offer = json!({"oid": object.oid, "size": object.size, "authenticated": true});
    match (upload, file.is_file()) {
        (true, true) => {}
        (false, false) => offer["error"] = json!({"code": 404, "message": "Object does not exist on the server"}),
        _ => {
            let name = random_characters(40);
            let href = format!("https://{}/_lfs/{name}", state.host);
            state.lfs_addresses.insert(name, Address { file, upload });
            let action = if upload { "upload" } else { "download" };
            offer["actions"] = json!({action: {"href": href, "expires_in": 3600}});
        }
    }
    offer
}

/// Serves or takes an object at an address of the store.
pub(super) fn object(state: &State, address: &str, upload: bool, body: &[u8]) -> Answer {
    let Some(address) = state.lfs_addresses.get(address).filter(|address| address.upload == upload) else {
        return empty_answer(StatusCode::FORBIDDEN);
    };
    if !upload {
        return std::fs::read(&address.file).map_or_else(
            |_| empty_answer(StatusCode::NOT_FOUND),
            |content| Response::new(Full::new(Bytes::from(content))),
        );
    }
    let oid = address.file.file_name().map(|name| name.to_string_lossy().into_owned());
    if oid != Some(sha256(body)) {
        return empty_answer(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let directory = address.file.parent().unwrap_or(Path::new("."));
    let written = std::fs::create_dir_all(directory).and_then(|()| std::fs::write(&address.file, body));
    empty_answer(if written.is_ok() { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR })
}

/// A SHA-256 in hexadecimal, which is also a safe name for a file.
fn is_oid(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn sha256(content: &[u8]) -> String {
    digest(&SHA256, content).as_ref().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
