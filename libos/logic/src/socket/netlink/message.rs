//! Netlink messages, as bytes (netlink(7), rtnetlink(7)).

use super::{Reply, Request};
use alloc::vec::Vec;
use trapless_abi::Errno;
use trapless_abi::flags::{NLM_F_CAPPED, NLM_F_MULTI, NLMSG_DONE, NLMSG_ERROR};
use trapless_abi::structs::{Nlmsgerr, Nlmsghdr, Rtattr};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Messages and attributes begin at multiples of this (NLMSG_ALIGNTO, RTA_ALIGNTO).
const ALIGN: usize = 4;

/// Cuts the first message off `bytes`: its head and its payload. None at the end, or where a length makes no sense, which Linux
/// takes for the end.
pub(super) fn next<'a>(bytes: &mut &'a [u8]) -> Option<Request<'a>> {
    let (head, _) = Nlmsghdr::read_from_prefix(bytes).ok()?;
    let message = bytes.get(..head.nlmsg_len as usize)?;
    let payload = message.get(size_of::<Nlmsghdr>()..)?;
    *bytes = bytes.get(message.len().next_multiple_of(ALIGN)..).unwrap_or_default();
    Some(Request { head, payload })
}

impl Reply {
    /// No messages yet, for what the socket at `port` asked in `request`.
    pub(super) const fn new(request: &Nlmsghdr, port: u32) -> Self {
        Self { bytes: Vec::new(), seq: request.nlmsg_seq, port }
    }

    /// Adds a message of this kind, whose payload `fill` writes.
    fn message(&mut self, kind: u16, flags: u16, fill: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        let mut head =
            Nlmsghdr { nlmsg_len: 0, nlmsg_type: kind, nlmsg_flags: flags, nlmsg_seq: self.seq, nlmsg_pid: self.port };
        self.bytes.extend_from_slice(head.as_bytes());
        fill(&mut self.bytes);
        head.nlmsg_len = (self.bytes.len() - start) as u32;
        self.bytes[start..start + size_of::<Nlmsghdr>()].copy_from_slice(head.as_bytes());
        pad(&mut self.bytes);
    }

    /// Adds one of several messages: a structure, and the attributes that `attributes` adds.
    pub(super) fn part<T: IntoBytes + Immutable>(
        &mut self,
        kind: u16,
        fixed: &T,
        attributes: impl FnOnce(&mut Attributes<'_>),
    ) {
        self.message(kind, NLM_F_MULTI, |bytes| {
            bytes.extend_from_slice(fixed.as_bytes());
            attributes(&mut Attributes(bytes));
        });
    }

    /// Ends the parts.
    pub(super) fn done(&mut self) {
        // Whether the listing failed.
        self.message(NLMSG_DONE, NLM_F_MULTI, |bytes| bytes.extend_from_slice(&0i32.to_ne_bytes()));
    }

    /// Answers `request` as a whole. An error carries all of the request, an acknowledgement only its head.
    pub(super) fn verdict(&mut self, request: &Request<'_>, verdict: Result<(), Errno>) {
        let error = verdict.err().map_or(0, |errno| -(errno as i32));
        let flags = if verdict.is_ok() { NLM_F_CAPPED } else { 0 };
        self.message(NLMSG_ERROR, flags, |bytes| {
            bytes.extend_from_slice(Nlmsgerr { error, msg: request.head }.as_bytes());
            if verdict.is_err() {
                bytes.extend_from_slice(request.payload);
            }
        });
    }
}

/// The attributes of a message in the making.
pub(super) struct Attributes<'a>(&'a mut Vec<u8>);

impl Attributes<'_> {
    /// Adds an attribute. Its value is short.
    pub(super) fn add(&mut self, kind: u16, value: &[u8]) {
        pad(self.0);
        let len = size_of::<Rtattr>() + value.len();
        self.0.extend_from_slice(Rtattr { rta_len: len as u16, rta_type: kind }.as_bytes());
        self.0.extend_from_slice(value);
        // Also behind the last one: its padding counts for the message.
        pad(self.0);
    }

    /// Adds a string with its final NUL.
    pub(super) fn add_text(&mut self, kind: u16, text: &str) {
        self.add(kind, &[text.as_bytes(), &[0]].concat());
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
}
