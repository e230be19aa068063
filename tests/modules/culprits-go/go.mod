module example.com/culprits

go 1.24.0

require (
	example.com/settings v1.2.0
	github.com/proxy-wasm/proxy-wasm-go-sdk v0.0.0-20250212164326-ab4161dcf924
)

require (
	example.com/store/v2 v2.3.4 // indirect
	github.com/tetratelabs/wazero v1.7.2 // indirect
)

replace (
	example.com/settings => ./settings
	example.com/store/v2 => ./store
)
