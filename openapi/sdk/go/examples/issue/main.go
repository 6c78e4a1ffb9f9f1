// Issues a session token for a user, twice, and asks the server once.
//
//	JETON_URL=http://127.0.0.1:8080 JETON_API_KEY=jtn_… go run ./examples/issue
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"jeton.example/go/jeton"
	"jeton.example/go/jeton/api"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		var problem *jeton.Problem
		if errors.As(err, &problem) {
			for _, field := range problem.Errors {
				fmt.Fprintf(os.Stderr, "%s: %s\n", field.Pointer, field.Detail)
			}
		}
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	client, err := jeton.New(os.Getenv("JETON_URL"), os.Getenv("JETON_API_KEY"))
	if err != nil {
		return err
	}
	user := api.NewTokenUser("user-42", []string{"viewer"})
	user.Attributes = map[string]any{"tenant_id": "t-1"}
	request := api.NewIssueSessionTokenRequest(*user)

	tokens := jeton.NewTokenCache(client)
	session, err := tokens.Token(ctx, *request)
	if err != nil {
		return err
	}
	again, err := tokens.Token(ctx, *request)
	if err != nil {
		return err
	}
	fmt.Println(session.Token)
	fmt.Fprintf(os.Stderr, "for %d s; the next one after %d s\n", session.ExpiresIn, session.RefreshIn)
	if again.Token != session.Token {
		return errors.New("the cache asked twice")
	}
	return nil
}
