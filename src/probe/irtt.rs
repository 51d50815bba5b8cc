//! The options of a run in the irtt dialect.

use crate::wire::irtt::HmacKey;

/// The options of an irtt client besides the plan of its run.
#[derive(Clone, Debug, Default)]
pub struct IrttOptions {
    /// With it, every packet is signed.
    pub key: Option<HmacKey>,
    /// The DSCP that replies are asked to leave with.
    pub dscp: u8,
}
