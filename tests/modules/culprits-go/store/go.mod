module example.com/store/v2

go 1.24.0
