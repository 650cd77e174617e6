package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// lifetime of the certificates: longer than any test run, short enough to be useless afterwards.
const lifetime = 24 * time.Hour

// identity is what an API server needs to be somebody: paths of PEM files.
type identity struct {
	caCert, serverCert, serverKey           string
	serviceAccountPublic, serviceAccountKey string
}

func createIdentity(dir string) (identity, error) {
	files := identity{
		caCert:               filepath.Join(dir, "ca.crt"),
		serverCert:           filepath.Join(dir, "apiserver.crt"),
		serverKey:            filepath.Join(dir, "apiserver.key"),
		serviceAccountPublic: filepath.Join(dir, "sa.pub"),
		serviceAccountKey:    filepath.Join(dir, "sa.key"),
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return files, err
	}
	if err := createServerCertificate(files); err != nil {
		return files, err
	}
	return files, createServiceAccountKey(files)
}

func createServerCertificate(files identity) error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := template("kubewitness-e2e-ca", 1)
	ca.IsCA = true
	ca.BasicConstraintsValid = true
	ca.KeyUsage |= x509.KeyUsageCertSign
	if err := sign(files.caCert, ca, ca, &caKey.PublicKey, caKey); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	server := template("kube-apiserver", 2)
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	server.DNSNames = []string{"localhost", "kubernetes.default.svc"}
	if err := sign(files.serverCert, server, ca, &key.PublicKey, caKey); err != nil {
		return err
	}
	return writePrivate(files.serverKey, key)
}

func createServiceAccountKey(files identity) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	if err := writePEM(files.serviceAccountPublic, "PUBLIC KEY", public); err != nil {
		return err
	}
	return writePrivate(files.serviceAccountKey, key)
}

func template(name string, serial int64) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

func sign(path string, certificate, issuer *x509.Certificate, public, key any) error {
	der, err := x509.CreateCertificate(rand.Reader, certificate, issuer, public, key)
	if err != nil {
		return err
	}
	return writePEM(path, "CERTIFICATE", der)
}

func writePrivate(path string, key crypto.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
