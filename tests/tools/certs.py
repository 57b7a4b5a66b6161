# SPDX-License-Identifier: Apache-2.0
"""certs.py - throw-away authorities and certificates, made by the openssl command.

    ca = Authority(tmp_path / "ca")
    cert, key = ca.issue("scef", san="IP:127.0.0.1")       # paths
    ca.issue("late", expired=True); ca.issue("gone"); ca.revoke("gone"); ca.crl()
"""
import subprocess
from pathlib import Path


def openssl(*args, cwd=None):
    done = subprocess.run(["openssl", *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd, timeout=60)
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout.decode()


CONF = """[ca]
default_ca = it
[it]
database = index.txt
new_certs_dir = .
serial = serial
crlnumber = crlnumber
default_md = sha256
default_crl_days = 30
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""


class Authority:
    def __init__(self, directory, name="a test authority"):
        self.dir = Path(directory)
        self.dir.mkdir(parents=True)
        (self.dir / "ca.conf").write_text(CONF)
        (self.dir / "index.txt").write_text("")
        for counter in ("serial", "crlnumber"):
            (self.dir / counter).write_text("01\n")
        self.cert, self.key = self.dir / "ca.pem", self.dir / "ca.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 30, "-subj", "/CN=" + name,
                "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self.key, "-out", self.cert)
        self.key.chmod(0o600)

    def issue(self, name, san=None, expired=False, days=30):
        """(certificate, key): paths of PEM files, the key readable by its owner only."""
        key, request, cert = (self.dir / (name + suffix) for suffix in (".key", ".csr", ".pem"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name, "-keyout", key, "-out", request,
                *(["-addext", "subjectAltName=" + san] if san else []))
        when = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"] if expired else ["-days", str(days)]
        openssl("ca", "-config", "ca.conf", "-batch", "-notext", "-cert", "ca.pem", "-keyfile", "ca.key", "-in", request.name, "-out", cert.name,
                *when, cwd=self.dir)
        key.chmod(0o600)
        return cert, key

    def revoke(self, name):
        openssl("ca", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile", "ca.key", "-revoke", name + ".pem", cwd=self.dir)

    def crl(self):
        path = self.dir / "crl.pem"
        openssl("ca", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile", "ca.key", "-gencrl", "-out", path.name, cwd=self.dir)
        return path
