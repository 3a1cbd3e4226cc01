//! A CA whose key is in a token: `init-ca --key-uri`, and `kpki up` where the policy says so.

use time::OffsetDateTime;

use super::{Failure, Global, passphrase};
use crate::{
    bootstrap::ca::Ca,
    issuer::{Closed, IssuerError, local::CaSpec},
    pki::CrlUrl,
    policy::IssuerSettings,
    secret::Secret,
    state::OutDir,
};

/// A new CA in a token, and the PIN that was needed.
pub fn in_token(
    global: &Global,
    out: &OutDir,
    settings: &IssuerSettings,
    spec: &CaSpec,
    crl_url: Option<CrlUrl>,
    now: OffsetDateTime,
) -> Result<(Box<Ca>, Secret), Failure> {
    let issuer = Closed::of(out, settings)?.naming(crl_url);
    let pin = passphrase::existing(global, &issuer)?.ok_or(IssuerError::NotOpened)?;
    let ca = Ca::in_token(out, issuer, spec, &pin, now)?;
    Ok((Box::new(ca), pin))
}
