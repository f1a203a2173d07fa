//! Owns embeddings: a bag of hashed words, so that texts which share words are near each other.

use crate::{
    respond,
    server::Shared,
    wire::{self, EmbeddingRequest, Encoding},
};
use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, Uri},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// Numbers of a vector unless the request says how many.
const DIMENSIONS: usize = 256;
/// Most numbers of a vector.
const MOST_DIMENSIONS: usize = 8_192;

/// `POST /v1/embeddings`.
pub(crate) async fn embed(
    State(state): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request: EmbeddingRequest = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return wire::bad_request(&format!("The body is no request for embeddings: {error}")),
    };
    let Ok(turn) = state.begin(&uri, &headers, &body, &request.model) else {
        return wire::no_model(&request.model);
    };
    let dimensions = request.dimensions.unwrap_or(DIMENSIONS);
    if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
        return wire::bad_request(&format!("'dimensions' is from 1 to {MOST_DIMENSIONS}."));
    }
    let vectors = request.input.texts().iter().enumerate().map(|(index, text)| {
        let vector = encoded(&vector(text, dimensions), request.encoding_format);
        json!({ "object": "embedding", "index": index, "embedding": vector })
    });
    let tokens: usize = request.input.texts().iter().map(|text| wire::tokens(text)).sum();
    let answer = json!({
        "object": "list",
        "model": request.model,
        "data": vectors.collect::<Vec<_>>(),
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    });
    respond::send(&state, turn, &answer).await
}

/// Every word adds one to a place that its hash names, or takes one away; the vector has length one.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions];
    let lower = text.to_lowercase();
    for word in lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let hash = Sha256::digest(word);
        let place = hash.iter().take(4).fold(0_usize, |place, byte| place << 8 | usize::from(*byte));
        vector[place % dimensions] += if hash[4].is_multiple_of(2) { 1.0 } else { -1.0 };
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
    vector
}

fn encoded(vector: &[f32], encoding: Encoding) -> Value {
    match encoding {
        Encoding::Float => json!(vector),
        Encoding::Base64 => {
            json!(STANDARD.encode(vector.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>()))
        }
    }
}
