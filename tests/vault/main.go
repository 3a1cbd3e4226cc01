// A Vault for the tests: its own core, HTTP API and PKI secrets engine, which keep everything in memory.
// Where it listens, its root token and its only unseal key are a line of standard output, in JSON. It ends with
// standard input, and so with whoever started it.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/builtin/logical/pki"
	"github.com/hashicorp/vault/helper/testhelpers/corehelpers"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

func main() {
	logger := hclog.New(&hclog.LoggerOptions{Output: os.Stderr})
	storage, err := inmem.NewInmem(nil, logger)
	must(err)
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:        storage,
		Logger:          logger,
		DisableMlock:    true,
		BuiltinRegistry: corehelpers.NewMockBuiltinRegistry(),
		LogicalBackends: map[string]logical.Factory{"pki": pki.Factory},
	})
	must(err)
	one := vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
	made, err := core.Initialize(context.Background(), &vault.InitParams{BarrierConfig: &one})
	must(err)
	key := made.SecretShares[0]
	_, err = core.Unseal(key)
	must(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	properties := vault.HandlerProperties{Core: core, ListenerConfig: &configutil.Listener{}}
	go func() { must(http.Serve(listener, vaulthttp.Handler.Handler(&properties))) }()
	must(json.NewEncoder(os.Stdout).Encode(map[string]string{
		"address":    listener.Addr().String(),
		"root_token": made.RootToken,
		"unseal_key": hex.EncodeToString(key),
	}))
	_, err = io.Copy(io.Discard, os.Stdin)
	must(err)
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
