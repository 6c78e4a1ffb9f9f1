module jeton.example/go/jeton

go 1.23
