module example.com/settings

go 1.24.0

require example.com/store/v2 v2.3.4
