//! Owns the signature by which a receiver knows that a call is ours and whole.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// A secret shared with a receiver. It is never shown.
pub(super) struct Secret(Box<[u8]>);

impl Secret {
    pub(super) fn new(secret: String) -> Self {
        Self(secret.into_bytes().into())
    }

    /// HMAC-SHA256 (RFC 2104) of a body, as `sha256=` and hexadecimal digits; none if the secret can be no key, which any
    /// can.
    pub(super) fn sign(&self, body: &[u8]) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(body);
        Some(format!("sha256={}", hex::encode(mac.finalize().into_bytes())))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn a_signature_is_that_of_the_standard() {
        let signed = Secret::new("Jefe".to_owned()).sign(b"what do ya want for nothing?").unwrap();
        assert_eq!(signed, "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
