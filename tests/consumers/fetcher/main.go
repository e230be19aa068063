// fetcher reads references from stdin, one a line, fetches each image by go-containerregistry in the
// steps that Istio's agent takes (istio, pkg/wasm/imagefetcher.go and cache.go), and prints one JSON
// object a line: {"ref", "error", "size", "sha256"}.
//
// It is a restatement of the steps, not Istio's code: what is real in it are go-containerregistry
// (registry, index, platform, media types, digests), hashicorp/go-multierror and Go's own gzip, tar
// and errors.
package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/hashicorp/go-multierror"
)

const (
	moduleName  = "plugin.wasm"
	moduleLayer = "application/vnd.module.wasm.content.layer.v1+wasm"
	limit       = 256 * 1024 * 1024
)

type answer struct {
	Ref    string `json:"ref"`
	Error  string `json:"error"`
	Size   int    `json:"size"`
	SHA256 string `json:"sha256"`
}

func main() {
	out := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		ref := in.Text()
		module, err := fetch(ref)
		said := answer{Ref: ref, Size: len(module)}
		if err != nil {
			said.Error = err.Error()
		} else {
			sum := sha256.Sum256(module)
			said.SHA256 = hex.EncodeToString(sum[:])
		}
		if err := out.Encode(said); err != nil {
			panic(err)
		}
	}
}

// fetch goes from the reference to a module that begins as one.
func fetch(text string) ([]byte, error) {
	img, digest, err := resolve(text)
	if err != nil {
		return nil, fmt.Errorf("could not fetch Wasm OCI image: %v", err)
	}
	// The digest of the reference is what the image's own has to be.
	if pinned, err := name.NewDigest(text); err == nil {
		if want := strings.TrimPrefix(pinned.DigestStr(), "sha256:"); want != digest.Hex {
			return nil, fmt.Errorf("module downloaded from oci://%v has checksum %v, which does not match: %v", text, digest.Hex, want)
		}
	}
	module, err := binary(img)
	if err != nil {
		return nil, fmt.Errorf("could not fetch Wasm binary: %v", err)
	}
	if len(module) < 8 || !bytes.HasPrefix(module, []byte("\x00asm")) {
		return nil, fmt.Errorf("fetched Wasm binary from oci://%s is invalid", text)
	}
	return module, nil
}

func resolve(text string) (v1.Image, v1.Hash, error) {
	ref, err := name.ParseReference(text)
	if err != nil {
		return nil, v1.Hash{}, fmt.Errorf("could not parse url in image reference: %v", err)
	}
	found, err := remote.Get(ref)
	if err != nil {
		return nil, v1.Hash{}, fmt.Errorf("could not fetch manifest: %v", err)
	}
	img, err := found.Image()
	if err != nil {
		return nil, v1.Hash{}, fmt.Errorf("could not fetch image: %v", err)
	}
	digest, err := img.Digest()
	return img, digest, err
}

func binary(img v1.Image) ([]byte, error) {
	manifest, err := img.Manifest()
	if err != nil {
		return nil, fmt.Errorf("could not retrieve manifest: %v", err)
	}
	if manifest.MediaType == types.DockerManifestSchema2 {
		module, err := fromLast(img, types.DockerLayer)
		if err != nil {
			return nil, fmt.Errorf("could not extract Wasm file from the image as Docker container %v", err)
		}
		return module, nil
	}
	module, compat := fromLast(img, types.OCILayer)
	if compat == nil {
		return module, nil
	}
	module, artifact := fromArtifact(img)
	if artifact == nil {
		return module, nil
	}
	both := multierror.Append(nil,
		fmt.Errorf("could not parse as compat variant: %v", compat),
		fmt.Errorf("could not parse as oci variant: %v", artifact))
	return nil, fmt.Errorf("the given image is in invalid format as an OCI image: %v", both)
}

// fromLast takes the module out of the last layer, which has to be of one type.
func fromLast(img v1.Image, expected types.MediaType) ([]byte, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, fmt.Errorf("could not fetch layers: %v", err)
	}
	if len(layers) == 0 {
		return nil, errors.New("number of layers must be greater than zero")
	}
	last := layers[len(layers)-1]
	kind, err := last.MediaType()
	if err != nil {
		return nil, fmt.Errorf("could not get media type: %v", err)
	}
	if kind != expected {
		return nil, fmt.Errorf("invalid media type %s (expect %s)", kind, expected)
	}
	content, err := last.Compressed()
	if err != nil {
		return nil, fmt.Errorf("could not get layer content: %v", err)
	}
	defer content.Close()
	module, err := unpack(content)
	if err != nil {
		return nil, fmt.Errorf("could not extract wasm binary: %v", err)
	}
	return module, nil
}

func unpack(packed io.Reader) ([]byte, error) {
	plain, err := gzip.NewReader(packed)
	if err != nil {
		return nil, fmt.Errorf("failed to parse layer as tar.gz: %v", err)
	}
	archive := tar.NewReader(io.LimitReader(plain, limit))
	for {
		entry, err := archive.Next()
		if err == io.EOF {
			return nil, fmt.Errorf("%s not found in the archive", moduleName)
		}
		if err != nil {
			return nil, err
		}
		if filepath.Base(entry.Name) != moduleName {
			continue
		}
		module := make([]byte, entry.Size)
		if _, err := io.ReadFull(archive, module); err != nil {
			return nil, fmt.Errorf("failed to read %s: %v", moduleName, err)
		}
		return module, nil
	}
}

// fromArtifact takes the raw module of solo-io's two layers.
func fromArtifact(img v1.Image) ([]byte, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, fmt.Errorf("could not fetch layers: %v", err)
	}
	if len(layers) != 2 {
		return nil, fmt.Errorf("number of layers must be 2 but got %d", len(layers))
	}
	for _, layer := range layers {
		kind, err := layer.MediaType()
		if err != nil {
			return nil, fmt.Errorf("could not retrieve the media type: %v", err)
		}
		if kind != moduleLayer {
			continue
		}
		content, err := layer.Compressed()
		if err != nil {
			return nil, fmt.Errorf("could not get layer content: %v", err)
		}
		defer content.Close()
		module, err := io.ReadAll(content)
		if err != nil {
			return nil, fmt.Errorf("could not extract wasm binary: %v", err)
		}
		return module, nil
	}
	return nil, fmt.Errorf("could not find the layer of type %s", moduleLayer)
}
