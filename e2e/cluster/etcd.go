package main

import (
	"fmt"
	"net/url"
	"runtime/debug"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// etcdStartMax bounds the wait for a one-member etcd, which is normally well under a second.
const etcdStartMax = time.Minute

func startEtcd(dir string) (*embed.Etcd, error) {
	client, err := freeURL()
	if err != nil {
		return nil, err
	}
	peer, err := freeURL()
	if err != nil {
		return nil, err
	}
	config := embed.NewConfig()
	config.Dir = dir
	config.LogLevel = "fatal"
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	// The cluster lives for one test run; waiting for the disk would only slow it down.
	config.UnsafeNoFsync = true
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return etcd, nil
	case <-time.After(etcdStartMax):
		etcd.Close()
		return nil, fmt.Errorf("etcd is not ready after %s", etcdStartMax)
	}
}

func freeURL() (url.URL, error) {
	port, err := freePort()
	return url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)}, err
}

// kubernetesVersion reads the version from the build, because the one that release builds stamp in is
// absent from a build as a module.
func kubernetesVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, module := range info.Deps {
		if module.Path == "k8s.io/kubernetes" {
			return module.Version
		}
	}
	return "unknown"
}
