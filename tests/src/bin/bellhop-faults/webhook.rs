//! The webhooks of a measurement: how the endpoint of each behaves, and where it is.

use std::net::Ipv4Addr;

use bellhop_model::Mode;

use crate::sink::Listening;

/// How an endpoint behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conduct {
    /// Answers at once.
    Quick,
    /// Answers after 5 s.
    Slow,
    /// Serves 16 requests at once, each in 50 ms.
    FewHands,
    /// Accepts, and never answers.
    Hangs,
    /// Refuses connections.
    Refuses,
    /// Has a name that no server knows.
    Unresolvable,
}

/// Whose host an endpoint is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// One of its own.
    Own,
    /// One that all of these share.
    Shared,
}

/// One organisation's only webhook.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Webhook {
    /// In which mode.
    pub(crate) mode: Mode,
    /// How it behaves.
    pub(crate) conduct: Conduct,
    /// Where it is; of live ones each port is shared by few.
    pub(crate) host: Host,
}

impl Conduct {
    const ALL: [Self; 6] =
        [Self::Quick, Self::Slow, Self::FewHands, Self::Hangs, Self::Refuses, Self::Unresolvable];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Slow => "slow",
            Self::FewHands => "few-hands",
            Self::Hangs => "hangs",
            Self::Refuses => "refuses",
            Self::Unresolvable => "unresolvable",
        }
    }

    /// Reads a path: the conduct, and the number of the webhook.
    pub(crate) fn read(path: &str) -> Option<(Self, usize)> {
        let (word, number) = path.strip_prefix('/')?.split_once('/')?;
        let conduct = Self::ALL.into_iter().find(|conduct| conduct.as_str() == word)?;
        Some((conduct, number.parse().ok()?))
    }
}

impl Webhook {
    /// One in Test Mode, on a host of its own.
    pub(crate) const fn test(conduct: Conduct) -> Self {
        Self { mode: Mode::Test, conduct, host: Host::Own }
    }

    /// The organisation that has it.
    pub(crate) fn organisation(number: usize) -> String {
        format!("org_faults{number}")
    }

    /// Where its requests go.
    ///
    /// * `number`: of the webhook.
    pub(crate) fn url(self, number: usize, listening: &Listening) -> String {
        let address = match self.host {
            Host::Own => own_address(number),
            Host::Shared => Ipv4Addr::LOCALHOST,
        };
        let host = match (self.conduct, self.mode) {
            (Conduct::Unresolvable, _) => format!("http://dead-{number}.invalid"),
            (Conduct::Refuses, _) => format!("http://{address}:{}", listening.refusing),
            (_, Mode::Test) => format!("http://{address}:{}", listening.plain),
            // The certificate is for one address.
            (_, Mode::Live) => {
                let port = listening.secure[number % listening.secure.len()];
                format!("https://{}:{port}", Ipv4Addr::LOCALHOST)
            }
        };
        format!("{host}/{}/{number}", self.conduct.as_str())
    }
}

/// An address that leads to this machine and that no other webhook has; 127.0.0.0/16 is left to others.
fn own_address(number: usize) -> Ipv4Addr {
    let [_, high, middle, low] = u32::try_from(number + 0x1_0001).unwrap_or(u32::MAX).to_be_bytes();
    Ipv4Addr::new(127, high, middle, low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening() -> Listening {
        Listening { control: ([127, 0, 0, 1], 1).into(), plain: 2, refusing: 3, secure: vec![4, 5] }
    }

    #[test]
    fn a_url_says_how_the_endpoint_behaves() {
        for conduct in Conduct::ALL {
            let url = Webhook::test(conduct).url(70_000, &listening());
            let path = url.rsplitn(3, '/').collect::<Vec<_>>();
            assert_eq!(Conduct::read(&format!("/{}/{}", path[1], path[0])), Some((conduct, 70_000)));
        }
        assert_eq!(Conduct::read("/quick/x"), None);
        assert_eq!(Conduct::read("/unheard/1"), None);
    }

    #[test]
    fn each_has_a_host_of_its_own_unless_it_shares_one() {
        let own = |number| Webhook::test(Conduct::Hangs).url(number, &listening());
        assert_eq!(own(0), "http://127.1.0.1:2/hangs/0");
        assert_eq!(own(65_535), "http://127.2.0.0:2/hangs/65535");
        let shared = Webhook { host: Host::Shared, ..Webhook::test(Conduct::Quick) };
        assert_eq!(shared.url(9, &listening()), "http://127.0.0.1:2/quick/9");
        let live = Webhook { mode: Mode::Live, ..shared };
        assert_eq!(live.url(3, &listening()), "https://127.0.0.1:5/quick/3");
    }
}
