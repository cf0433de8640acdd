//! Where the code comes from: `-c`, a file, or standard input.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use super::exit::Failure;

/// What the arguments say about the code.
#[derive(Debug, clap::Args)]
pub(crate) struct SourceArgs {
    /// The file to run; `-` is standard input, which is also read when nothing else is given
    #[arg(value_name = "FILE", conflicts_with = "code")]
    file: Option<PathBuf>,

    /// Code to run in place of a file. Given several times, all run in one session, in order, until
    /// one fails
    #[arg(short = 'c', value_name = "CODE", allow_hyphen_values = true)]
    code: Vec<OsString>,

    /// The code is the body of a function: what it returns is its value, and no variables stay
    #[arg(long)]
    function_body: bool,
}

impl SourceArgs {
    /// The pieces of code to run, as Python shall read them: it decides about their encoding.
    pub(crate) fn read(self) -> Result<Vec<Vec<u8>>, Failure> {
        if !self.function_body {
            return self.read_codes();
        }
        let whole = |code: Vec<u8>| match String::from_utf8(code) {
            Ok(body) => Ok(pcm_sandbox::function_body(&body).into_bytes()),
            Err(_) => Err(Failure::usage("the body of a function has to be UTF-8".to_owned())),
        };
        self.read_codes()?.into_iter().map(whole).collect()
    }

    fn read_codes(self) -> Result<Vec<Vec<u8>>, Failure> {
        match self.file {
            None if !self.code.is_empty() => {
                Ok(self.code.into_iter().map(OsString::into_encoded_bytes).collect())
            }
            None if io::stdin().is_terminal() => Err(Failure::usage(
                "there is no code to run: name a FILE, give code with -c, or pipe it in\n\n\
                 For more information, try 'pcm-sandbox run --help'.",
            )),
            Some(file) if file != Path::new("-") => {
                let name = file.display().to_string();
                let code = File::open(file).and_then(read_bounded);
                code.map_err(|error| Failure::usage(format!("cannot read {name}: {error}")))
            }
            _ => read_bounded(io::stdin().lock())
                .map_err(|error| Failure::usage(format!("cannot read standard input: {error}"))),
        }
    }
}

/// More than anybody writes, and less than fills the machine when the file is `/dev/zero`.
const MAX_SOURCE: u64 = 64 << 20;

fn read_bounded(source: impl io::Read) -> io::Result<Vec<Vec<u8>>> {
    let mut code = Vec::new();
    source.take(MAX_SOURCE + 1).read_to_end(&mut code)?;
    if code.len() as u64 > MAX_SOURCE {
        return Err(io::Error::other(format!("it is longer than {} MiB", MAX_SOURCE >> 20)));
    }
    Ok(vec![code])
}
